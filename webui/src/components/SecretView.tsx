import { type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { snippets } from '../logic/snippets';
import { Button } from './Button';
import { CopyLine, useCopy } from './Copy';
import { Segmented } from './Segmented';
import { SidePanel } from './SidePanel';

/** VerifyHelp shows how a business system verifies our signatures. */
export function VerifyHelp() {
  const { t } = useTranslation();
  const copy = useCopy();
  const [key, setKey] = useState(snippets[0]?.key ?? '');
  const snippet = snippets.find((s) => s.key === key);
  return (
    <section className="verify">
      <h3>{t('forward.verify')}</h3>
      <p className="muted">{t('forward.verifyHint')}</p>
      <div className="verify__head">
        <Segmented
          name="snippet"
          label={t('forward.snippetFor')}
          value={key}
          onChange={setKey}
          options={snippets.map((s) => ({ value: s.key, label: s.name }))}
        />
        <Button size="small" variant="text" onClick={() => void copy(snippet?.code ?? '')} data-testid="copy-snippet">
          {t('common.copy')}
        </Button>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must get there. */}
      <pre className="code code--program" tabIndex={0} data-testid="snippet">
        {snippet?.code}
      </pre>
    </section>
  );
}

interface SecretProps {
  secret: string;
  /** note says what to do with it, instead of what is said of signing secrets; children is what helps using it. */
  note?: string;
  children?: ReactNode;
}

interface PanelProps extends SecretProps {
  title?: string;
  onClose: () => void;
  testId: string;
}

/** SecretPanel is SecretView beside a page, open while there is a secret. */
export function SecretPanel({ title, onClose, testId, ...shown }: PanelProps) {
  const { t } = useTranslation();
  return (
    <SidePanel testId={testId} title={title ?? t('forward.secretTitle')} open={shown.secret !== ''} onClose={onClose}>
      <SecretView {...shown} />
      <div>
        <Button onClick={onClose} data-testid="secret-done">
          {t('forward.secretClose')}
        </Button>
      </div>
    </SidePanel>
  );
}

/** SecretView shows a secret that has just been made; it is not to be had again. */
export function SecretView({ secret, note, children = <VerifyHelp /> }: SecretProps) {
  const { t } = useTranslation();
  return (
    <div className="secret" data-testid="secret-view">
      <div className="banner" role="status">
        {note ?? t('forward.secretOnce')}
      </div>
      <CopyLine text={secret} testId="secret" />
      {children}
    </div>
  );
}
