import { useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { Input } from 'tdesign-react';
import { Field } from '../../components/Field';
import { Panel } from '../../components/PageHead';
import { TextArea } from '../../components/TextArea';
import { Preview } from './Preview';
import type { PartProps } from './parts';

const inserts = ['appid', 'biz_id', 'nick_name', 'label'] as const;

function ExtEditor({ form, change, errorOf }: PartProps) {
  const { t } = useTranslation();
  const box = useRef<HTMLDivElement>(null);

  function insert(name: string) {
    const area = box.current?.querySelector('textarea');
    const text = `{{${name}}}`;
    const at = area?.selectionStart ?? form.ext_json.length;
    const to = area?.selectionEnd ?? at;
    change({ ext_json: form.ext_json.slice(0, at) + text + form.ext_json.slice(to) });
    area?.focus();
  }

  function format() {
    try {
      change({ ext_json: JSON.stringify(JSON.parse(form.ext_json), null, 2) });
    } catch {
      // The error is already shown below the text.
    }
  }

  return (
    <div ref={box}>
      <Field name="ext-json" label={t('newRollout.ext')} hint={t('newRollout.extHint')} error={errorOf('ext_json')}>
        <TextArea code rows={10} value={form.ext_json} onChange={(ext_json) => change({ ext_json })} />
      </Field>
      <div className="suggest">
        {inserts.map((name) => (
          <button
            type="button"
            key={name}
            className="chip"
            aria-label={t('newRollout.insert', { name })}
            onClick={() => insert(name)}
          >
            {`{{${name}}}`}
          </button>
        ))}
        <button type="button" className="chip" onClick={format}>
          {t('newRollout.extFormat')}
        </button>
      </div>
    </div>
  );
}

/** VersionStep names the version, and says what is configured for each merchant. */
export function VersionStep(props: PartProps) {
  const { form, change, errorOf } = props;
  const { t } = useTranslation();
  return (
    <>
      <Panel title={t('newRollout.version')} testId="part-version">
        <div className="form">
          <div className="form__row">
            <Field name="name" label={t('newRollout.name')} error={errorOf('name')}>
              <Input
                value={form.name}
                onChange={(name) => change({ name })}
                placeholder={t('newRollout.namePlaceholder')}
              />
            </Field>
            <Field name="user-version" label={t('newRollout.userVersion')} error={errorOf('user_version')}>
              <Input
                value={form.user_version}
                onChange={(user_version) => change({ user_version })}
                placeholder="1.0.0"
              />
            </Field>
          </div>
          <Field name="user-desc" label={t('newRollout.userDesc')} error={errorOf('user_desc')}>
            <Input value={form.user_desc} onChange={(user_desc) => change({ user_desc })} placeholder="" />
          </Field>
          <ExtEditor {...props} />
        </div>
      </Panel>
      <Preview form={form} />
    </>
  );
}
