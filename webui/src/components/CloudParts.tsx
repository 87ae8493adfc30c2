import { useTranslation } from 'react-i18next';
import type { CloudShare } from '../api/types';
import { shareTone } from '../logic/cloudenvs';
import { ToneTag } from './StateTag';

function Mark({ text, hint, testId }: { text: string; hint: string; testId: string }) {
  return (
    <span className="tag tag--action" title={hint} data-testid={testId}>
      <i aria-hidden="true" />
      {text}
    </span>
  );
}

/** SeenInUse marks what WeChat has not written down. */
export function SeenInUse() {
  const { t } = useTranslation();
  return <Mark text={t('cloud.seen')} hint={t('cloud.seenHint')} testId="seen-in-use" />;
}

/** NotConfirmed marks what WeChat has written down about something else only. */
export function NotConfirmed() {
  const { t } = useTranslation();
  return <Mark text={t('cloud.unconfirmed')} hint={t('cloud.servicesUnknown')} testId="not-confirmed" />;
}

export function ShareTag({ state }: { state: CloudShare['state'] }) {
  const { t } = useTranslation();
  return <ToneTag tone={shareTone(state)} text={t(`cloud.states.${state}`)} testId={`share-state-${state}`} />;
}
