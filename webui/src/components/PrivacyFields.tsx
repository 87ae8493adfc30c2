import { useTranslation } from 'react-i18next';
import { Input } from 'tdesign-react';
import { ownerFields, type PrivacyForm } from '../logic/rollout';
import { Field } from './Field';
import { FieldError } from './FieldError';
import { PrivacyRows } from './PrivacyRows';

interface Props {
  value: PrivacyForm;
  onChange: (part: Partial<PrivacyForm>) => void;
  errorOf: (field: string) => string | undefined;
}

/** PrivacyFields edits a privacy guideline. */
export function PrivacyFields({ value, onChange, errorOf }: Props) {
  const { t } = useTranslation();
  return (
    <>
      <div className="form__grid">
        {ownerFields.map((field) => (
          <Field key={field} name={field} label={t(`newRollout.owner.${field}`)}>
            <Input
              value={value.owner[field]}
              onChange={(text) => onChange({ owner: { ...value.owner, [field]: text } })}
              placeholder=""
            />
          </Field>
        ))}
        <Field name="notice-method" label={t('newRollout.notice')} error={errorOf('owner_setting.notice_method')}>
          <Input
            value={value.notice_method}
            onChange={(notice_method) => onChange({ notice_method })}
            placeholder={t('newRollout.noticePlaceholder')}
          />
        </Field>
        <Field
          name="store-expire"
          label={t('newRollout.expire')}
          error={errorOf('owner_setting.store_expire_timestamp')}
        >
          <Input
            value={value.store_expire}
            onChange={(store_expire) => onChange({ store_expire })}
            placeholder={t('newRollout.expirePlaceholder')}
          />
        </Field>
      </div>
      {errorOf('owner_setting') ? (
        <FieldError text={errorOf('owner_setting')} />
      ) : (
        <span className="field__hint">{t('newRollout.ownerHint')}</span>
      )}
      <PrivacyRows
        rows={value.privacyTexts}
        onChange={(privacyTexts) => onChange({ privacyTexts })}
        error={errorOf('setting_list')}
      />
    </>
  );
}
