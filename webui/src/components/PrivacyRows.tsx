import { useTranslation } from 'react-i18next';
import { DeleteIcon } from 'tdesign-icons-react';
import { privacyKeys } from '../logic/rollout';
import { Button } from './Button';

interface Row {
  privacy_key: string;
  privacy_text: string;
}

interface Props {
  rows: Row[];
  onChange: (rows: Row[]) => void;
  error?: string;
}

/** PrivacyRows edits what is collected and why; keys outside WeChat's list may be typed. */
export function PrivacyRows({ rows, onChange, error }: Props) {
  const { t } = useTranslation();
  const set = (at: number, part: Partial<Row>) =>
    onChange(rows.map((row, i) => (i === at ? { ...row, ...part } : row)));
  return (
    <fieldset className="field" aria-label={t('newRollout.privacyTexts')} data-testid="privacy-rows">
      <span className="field__label">{t('newRollout.privacyTexts')}</span>
      <datalist id="privacy-keys">
        {privacyKeys.map((key) => (
          <option key={key} value={key} />
        ))}
      </datalist>
      {rows.map((row, i) => (
        <div key={i} className="privacyrow">
          <input
            className="input"
            list="privacy-keys"
            aria-label={t('newRollout.privacyKey')}
            placeholder={t('newRollout.privacyKey')}
            value={row.privacy_key}
            onChange={(e) => set(i, { privacy_key: e.target.value })}
          />
          <input
            className="input"
            aria-label={t('newRollout.privacyText')}
            placeholder={t('newRollout.privacyTextPlaceholder')}
            value={row.privacy_text}
            onChange={(e) => set(i, { privacy_text: e.target.value })}
          />
          <Button
            variant="text"
            shape="square"
            icon={<DeleteIcon />}
            aria-label={t('common.remove')}
            onClick={() => onChange(rows.filter((_, at) => at !== i))}
          />
        </div>
      ))}
      {error && <span className="field__error">{error}</span>}
      <div>
        <Button
          size="small"
          variant="outline"
          theme="default"
          onClick={() => onChange([...rows, { privacy_key: '', privacy_text: '' }])}
          data-testid="add-privacy"
        >
          {t('newRollout.addPrivacy')}
        </Button>
      </div>
    </fieldset>
  );
}
