import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Input } from 'tdesign-react';
import { labelsQuery } from '../../api/merchants';
import { targetsQuery } from '../../api/planning';
import { Field } from '../../components/Field';
import { FieldError } from '../../components/FieldError';
import { MerchantPicker } from '../../components/MerchantPicker';
import { Panel } from '../../components/PageHead';
import { ProblemPanel } from '../../components/ProblemPanel';
import { Segmented } from '../../components/Segmented';
import { TagsField } from '../../components/TagsField';
import { useSettled } from '../../components/useSettled';
import { type RolloutForm, targetsOf } from '../../logic/rollout';
import type { PartProps } from './parts';

/** useTargets asks who is meant, a moment after the last change. */
export function useTargets(form: RolloutForm) {
  const nobody = { pick: form.appids.length === 0, labels: form.labels.length === 0, all: false }[form.targetMode];
  const body = nobody ? '' : JSON.stringify(targetsOf(form));
  const settled = useSettled(body);
  const query = useQuery(targetsQuery(body === '' ? '' : settled));
  return { query, nobody, counting: !nobody && (settled !== body || query.isFetching) };
}

/** TargetCount is the number of merchants that are meant now. */
export function TargetCount({ form }: { form: RolloutForm }) {
  const { t } = useTranslation();
  const { query, nobody, counting } = useTargets(form);
  const n = nobody ? 0 : query.data?.total;
  return (
    <span className={counting ? 'count faded' : 'count'} data-testid="target-count" aria-live="polite">
      {n === undefined ? (query.isError ? '—' : t('newRollout.counting')) : t('newRollout.count', { n })}
    </span>
  );
}

function Sample({ form }: { form: RolloutForm }) {
  const { t } = useTranslation();
  const { query, nobody } = useTargets(form);
  if (nobody) return null;
  if (query.isError) return <ProblemPanel compact error={query.error} onRetry={() => void query.refetch()} />;
  if (!query.data) return null;
  const { total, sample, unknown } = query.data;
  return (
    <>
      {(unknown ?? []).length > 0 && (
        <p className="field__error" role="alert" data-testid="unknown-targets">
          {t('wizard.unknownTargets', { appids: (unknown ?? []).join(', ') })}
        </p>
      )}
      {total === 0 && (
        <p className="banner" role="status">
          {t('wizard.noTargets')} {t('wizard.noTargetsHint')}
        </p>
      )}
      {total > 0 && form.targetMode !== 'pick' && (
        <div className="sample" data-testid="target-sample">
          <h3>{t('wizard.sample')}</h3>
          <ul className="pills">
            {(sample ?? []).map((m) => (
              <li key={m.appid} className="pill">
                {m.nick_name || m.appid}
                <span className="faint">{m.live_version || t('wizard.noLive')}</span>
              </li>
            ))}
            {total > (sample ?? []).length && <li className="faint">{t('wizard.sampleMore', { n: total })}</li>}
          </ul>
        </div>
      )}
    </>
  );
}

/** TargetsStep chooses who gets the version and tells at once how many that are. */
export function TargetsStep({ form, change, errorOf }: PartProps) {
  const { t } = useTranslation();
  const labels = useQuery({ ...labelsQuery(), enabled: form.targetMode === 'labels' });
  return (
    <Panel title={t('newRollout.targets')} extra={<TargetCount form={form} />} testId="part-targets">
      <Segmented
        name="targets"
        label={t('newRollout.targets')}
        value={form.targetMode}
        onChange={(targetMode) => change({ targetMode })}
        options={[
          { value: 'pick', label: t('newRollout.pick') },
          { value: 'labels', label: t('newRollout.byLabels') },
          { value: 'all', label: t('newRollout.all') },
        ]}
      />
      {form.targetMode === 'pick' && <MerchantPicker value={form.appids} onChange={(appids) => change({ appids })} />}
      {form.targetMode === 'labels' && (
        <Field name="target-labels" group label={t('authorizers.labels')} hint={t('newRollout.labelsHint')}>
          <TagsField
            label={t('authorizers.labels')}
            value={form.labels}
            onChange={(value) => change({ labels: value })}
            placeholder={t('newRollout.labelsPlaceholder')}
            suggestions={labels.data?.items?.map((l) => l.label)}
          />
        </Field>
      )}
      {form.targetMode === 'all' && <p className="muted">{t('newRollout.allHint')}</p>}
      <Field
        name="below-version"
        label={t('wizard.below')}
        hint={t('wizard.belowHint')}
        error={errorOf('targets.below_version')}
      >
        <Input
          value={form.below_version}
          onChange={(below_version) => change({ below_version })}
          placeholder={form.user_version || '2.3.0'}
        />
      </Field>
      <Sample form={form} />
      <FieldError text={errorOf('targets')} />
    </Panel>
  );
}
