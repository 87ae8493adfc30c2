import { useTranslation } from 'react-i18next';
import { ToneTag } from '../components/StateTag';
import { type RegistrationState, registrationTone } from '../logic/registrations';

export function RegistrationTag({ state }: { state: RegistrationState }) {
  const { t } = useTranslation();
  return (
    <ToneTag
      tone={registrationTone(state)}
      text={t(`registrations.states.${state}`)}
      testId={`registration-state-${state}`}
    />
  );
}
