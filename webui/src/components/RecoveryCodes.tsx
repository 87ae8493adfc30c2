import { useTranslation } from 'react-i18next';
import { Button } from './Button';
import { useCopy } from './Copy';

/** RecoveryCodes shows codes that have just been made; they are not to be had again. What is printed is they alone. */
export function RecoveryCodes({ codes, onKept }: { codes: readonly string[]; onKept: () => void }) {
  const { t } = useTranslation();
  const copy = useCopy();
  return (
    <section className="recovery" data-testid="recovery-codes">
      <h3>{t('totp.codes')}</h3>
      <div className="banner" role="status">
        {t('totp.codesOnce')}
      </div>
      <ol className="recovery__codes">
        {codes.map((code) => (
          <li key={code}>
            <code data-testid="recovery-code">{code}</code>
          </li>
        ))}
      </ol>
      <p className="muted">{t('totp.codesHint')}</p>
      <div className="buttons">
        <Button onClick={onKept} data-testid="codes-kept">
          {t('totp.codesKept')}
        </Button>
        <Button variant="outline" theme="default" onClick={() => void copy(codes.join('\n'))} data-testid="copy-codes">
          {t('common.copy')}
        </Button>
        <Button variant="outline" theme="default" onClick={() => window.print()} data-testid="print-codes">
          {t('totp.print')}
        </Button>
      </div>
    </section>
  );
}
