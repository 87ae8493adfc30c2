import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Input } from 'tdesign-react';
import { Field } from '../components/Field';
import { Panel } from '../components/PageHead';
import type { RolloutForm } from '../logic/rollout';
import type { Change, ErrorOf } from './NewRollout';
import { useWindowWords } from './StrategyWords';

const examples = { night: '* 2-5 * * *', evening: '* 22-23 * * 1-5', weekend: '* * * * 0,6' } as const;
const fields = ['strategy.canary', 'strategy.batch_size', 'strategy.max_failed_percent', 'start_at', 'release.window'];

interface Props {
  form: RolloutForm;
  change: Change;
  errorOf: ErrorOf;
}

function WindowField({ form, change, errorOf }: Props) {
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

/** StrategyPart asks in what order merchants get their turn and when; closed at first, since most need none of it. */
export function StrategyPart(props: Props) {
  const { form, change, errorOf } = props;
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  const wrong = fields.some((f) => errorOf(f) !== undefined);
  useEffect(() => {
    if (wrong) setOpen(true); // What is wrong must be seen.
  }, [wrong]);
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
    <Panel
      title={t('newRollout.strategy')}
      hint={t('newRollout.strategyHint')}
      testId="part-strategy"
      extra={
        <button
          type="button"
          className="disclosure"
          aria-expanded={open}
          aria-label={t('newRollout.strategy')}
          onClick={() => setOpen(!open)}
          data-testid="show-strategy"
        >
          {open ? t('common.showLess') : t('common.showMore')}
        </button>
      }
    >
      {open && (
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
          <WindowField {...props} />
        </div>
      )}
    </Panel>
  );
}
