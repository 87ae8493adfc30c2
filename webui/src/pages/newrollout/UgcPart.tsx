import { useTranslation } from 'react-i18next';
import { Checkbox } from 'tdesign-react';
import { Field } from '../../components/Field';
import { FieldError } from '../../components/FieldError';
import { Segmented } from '../../components/Segmented';
import { TextArea } from '../../components/TextArea';
import { type Ugc, ugcMethods, ugcScenes } from '../../logic/rollout';
import type { PartProps } from './parts';

/** UgcPart declares what users publish. */
export function UgcPart({ form, change, errorOf }: PartProps) {
  const { t } = useTranslation();
  const { ugc } = form;
  const set = (part: Partial<Ugc>) => change({ ugc: { ...ugc, ...part } });
  const toggle = (list: number[], n: number, on: boolean) => (on ? [...list, n].sort() : list.filter((x) => x !== n));
  return (
    <Field name="ugc" group label={t('wizard.ugc')}>
      <Segmented
        name="ugc"
        label={t('wizard.ugc')}
        value={ugc.mode}
        onChange={(mode) => set({ mode })}
        options={[
          { value: 'keep', label: t('wizard.ugcKeep') },
          { value: 'none', label: t('wizard.ugcNone') },
          { value: 'some', label: t('wizard.ugcSome') },
        ]}
      />
      {ugc.mode === 'some' && (
        <div className="indent form">
          <Field name="ugc-scene" group label={t('wizard.ugcScene')}>
            <div className="checkrow">
              {ugcScenes.map((n) => (
                <Checkbox
                  key={n}
                  checked={ugc.scenes.includes(n)}
                  onChange={(on) => set({ scenes: toggle(ugc.scenes, n, on) })}
                >
                  {t(`wizard.ugcScenes.${n}`)}
                </Checkbox>
              ))}
            </div>
          </Field>
          <Field name="ugc-method" group label={t('wizard.ugcMethod')}>
            <div className="checkrow">
              {ugcMethods.map((n) => (
                <Checkbox
                  key={n}
                  checked={ugc.methods.includes(n)}
                  onChange={(on) => set({ methods: toggle(ugc.methods, n, on) })}
                >
                  {t(`wizard.ugcMethods.${n}`)}
                </Checkbox>
              ))}
            </div>
          </Field>
          <Checkbox checked={ugc.team} onChange={(team) => set({ team })}>
            {t('wizard.ugcTeam')}
          </Checkbox>
          <Field name="ugc-desc" label={t('wizard.ugcDesc')}>
            <TextArea rows={2} maxLength={256} value={ugc.desc} onChange={(desc) => set({ desc })} />
          </Field>
        </div>
      )}
      <FieldError text={errorOf('audit.ugc_declare')} />
    </Field>
  );
}
