import { useTranslation } from 'react-i18next';
import { PageHead, Panel } from '../components/PageHead';
import { TotpSetUp } from '../components/SecondFactor';
import { LanguageButton } from '../components/Shell';
import { SignOutButton } from '../components/SignOutButton';

/** SecondFactorRequired is all there is for a user who must set up a second factor first. */
export default function SecondFactorRequired({ onDone }: { onDone: () => void }) {
  const { t } = useTranslation();
  return (
    <main id="content" className="content content--alone" tabIndex={-1} data-testid="totp-required">
      <PageHead title={t('totp.requiredTitle')}>
        <LanguageButton />
        <SignOutButton />
      </PageHead>
      <Panel hint={t('totp.requiredHint')} title={t('totp.title')}>
        <TotpSetUp onDone={onDone} />
      </Panel>
    </main>
  );
}
