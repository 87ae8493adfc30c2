import { useTranslation } from 'react-i18next';
import { Input } from 'tdesign-react';
import { Field } from '../../components/Field';
import { Panel } from '../../components/PageHead';
import { Segmented } from '../../components/Segmented';
import { percentages } from '../../logic/board';
import { useWindowWords } from '../StrategyWords';
import type { PartProps } from './parts';

const examples = { night: '* 2-5 * * *', evening: '* 22-23 * * 1-5', weekend: '* * * * 0,6' } as const;

function WindowField({ form, change, errorOf }: PartProps) {
  const { t } = useTranslation();
  const words = useWindowWords(form.window);
  return (
    <div>
      <Field
        name="window"
        label={t('newRollout.window')}
        hint={t('newRollout.windowHint')}
        error={errorOf('release.window')}
      >
        <Input value={form.window} onChange={(window) => change({ window })} placeholder="* 2-5 * * *" />
      </Field>
      <div className="suggest">
        {(['night', 'evening', 'weekend'] as const).map((name) => (
          <button
            type="button"
            key={name}
            className="chip"
            aria-pressed={form.window === examples[name]}
            onClick={() => change({ window: form.window === examples[name] ? '' : examples[name] })}
          >
            {t(`newRollout.windowExamples.${name}`)}
          </button>
        ))}
      </div>
      {words && (
        <p className="windowwords" role="status" data-testid="window-words">
          {words.words} {words.brief && <span className="note--bad">{t('window.brief')}</span>}
        </p>
      )}
      {words && form.release === 'manual' && <p className="note--bad">{t('newRollout.windowManual')}</p>}
    </div>
  );
}

function ReleasePart(props: PartProps) {
  const { form, change, errorOf } = props;
  const { t } = useTranslation();
  const gray = percentages(form.gray) ?? [];
  return (
    <Panel title={t('wizard.step.release')} testId="part-release">
      <div className="form">
        <Field name="release" group label={t('newRollout.releaseMode')}>
          <Segmented
            name="release"
            label={t('newRollout.releaseMode')}
            value={form.release}
            onChange={(release) => change({ release })}
            options={[
              { value: 'auto', label: t('newRollout.releaseAuto') },
              { value: 'manual', label: t('newRollout.releaseManual') },
            ]}
          />
        </Field>
        <WindowField {...props} />
        <div className="form__row">
          <Field
            name="gray"
            label={t('newRollout.gray')}
            hint={t('newRollout.grayHint')}
            error={errorOf('release.gray')}
          >
            <Input value={form.gray} onChange={(text) => change({ gray: text })} placeholder="10, 50" />
          </Field>
          <Field
            name="gray-interval"
            label={t('newRollout.grayInterval')}
            hint={t('newRollout.grayIntervalHint')}
            error={errorOf('release.gray_interval')}
          >
            <Input value={form.interval} onChange={(interval) => change({ interval })} placeholder="2h" />
          </Field>
        </div>
        {gray.length > 0 && form.release === 'manual' && <p className="muted">{t('wizard.manualGray')}</p>}
      </div>
    </Panel>
  );
}

function StrategyPart({ form, change, errorOf }: PartProps) {
  const { t } = useTranslation();
  const number = (field: 'canary' | 'batch_size' | 'max_failed') => (
    <Input
      value={form[field]}
      onChange={(text) => change({ [field]: text })}
      placeholder=""
      inputClass="numeric"
      spellCheck={false}
    />
  );
  return (
    <Panel title={t('newRollout.strategy')} hint={t('newRollout.strategyHint')} testId="part-strategy">
      <div className="form">
        <div className="form__row">
          <Field
            name="canary"
            label={t('newRollout.canary')}
            hint={t('newRollout.canaryHint')}
            error={errorOf('strategy.canary')}
          >
            {number('canary')}
          </Field>
          <Field
            name="batch-size"
            label={t('newRollout.batchSize')}
            hint={t('newRollout.batchSizeHint')}
            error={errorOf('strategy.batch_size')}
          >
            {number('batch_size')}
          </Field>
          <Field
            name="max-failed"
            label={t('newRollout.maxFailed')}
            hint={t('newRollout.maxFailedHint')}
            error={errorOf('strategy.max_failed_percent')}
          >
            {number('max_failed')}
          </Field>
        </div>
        <Field
          name="start-at"
          label={t('newRollout.startAt')}
          hint={t('newRollout.startAtHint', { zone: Intl.DateTimeFormat().resolvedOptions().timeZone })}
          error={errorOf('start_at')}
        >
          <input
            className="input input--time"
            type="datetime-local"
            value={form.start_at}
            onChange={(e) => change({ start_at: e.target.value })}
          />
        </Field>
      </div>
    </Panel>
  );
}

/** ReleaseStep says when approved versions go live, and in what order merchants get their turn. */
export function ReleaseStep(props: PartProps) {
  return (
    <>
      <ReleasePart {...props} />
      <StrategyPart {...props} />
    </>
  );
}
