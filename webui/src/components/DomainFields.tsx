import { useTranslation } from 'react-i18next';
import { type DomainTexts, domainKinds } from '../logic/rollout';
import { Field } from './Field';
import { TextArea } from './TextArea';

interface Props {
  value: DomainTexts;
  onChange: (value: DomainTexts) => void;
  errorOf: (kind: string) => string | undefined;
}

/** DomainFields edits the lists of domains of a mini program, one a line. */
export function DomainFields({ value, onChange, errorOf }: Props) {
  const { t } = useTranslation();
  return (
    <>
      <p className="muted">{t('newRollout.domainsHint')}</p>
      <div className="form__grid">
        {domainKinds.map((kind) => (
          <Field key={kind} name={`domain-${kind}`} label={t(`newRollout.domain.${kind}`)} error={errorOf(kind)}>
            <TextArea code rows={2} value={value[kind]} onChange={(text) => onChange({ ...value, [kind]: text })} />
          </Field>
        ))}
      </div>
    </>
  );
}
