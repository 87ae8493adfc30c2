import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Input } from 'tdesign-react';
import { api, call } from '../api/client';
import { keys } from '../api/queries';
import type { Rollout } from '../api/types';
import { Button } from '../components/Button';
import { Field } from '../components/Field';
import { ProblemPanel } from '../components/ProblemPanel';
import { Segmented } from '../components/Segmented';
import { toast } from '../components/toast';
import { useSaving } from '../components/useSaving';
import { changeFrom, type EditForm, editForm, wrongIn } from '../logic/board';
import { useWindowWords } from './StrategyWords';

/** RolloutEdit changes of a rollout what has not happened yet. */
export function RolloutEdit({ rollout, onDone }: { rollout: Rollout; onDone: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [before] = useState(() => editForm(rollout));
  const [form, setForm] = useState(before);
  const { busy, error, run } = useSaving();
  const words = useWindowWords(form.window);
  const set = (part: Partial<EditForm>) => setForm((old) => ({ ...old, ...part }));
  const wrong = wrongIn(form);
  const bad = (name: keyof EditForm, text: string) => (wrong.includes(name) ? text : undefined);
  const change = changeFrom(form, before);

  async function save() {
    await run(async () => {
      await call(api.PATCH('/rollouts/{id}', { params: { path: { id: rollout.id } }, body: change }));
      await client.invalidateQueries({ queryKey: keys.rollouts });
      toast.success(t('common.saved'));
      onDone();
    });
  }

  return (
    <form
      className="form"
      onSubmit={(e) => {
        e.preventDefault();
        void save();
      }}
      data-testid="rollout-edit"
    >
      <p className="muted">{t('board.editIntro')}</p>
      <Field name="name" label={t('rollouts.name')}>
        <Input value={form.name} onChange={(name) => set({ name })} />
      </Field>
      <Field name="mode" group label={t('newRollout.releaseMode')}>
        <Segmented
          name="mode"
          label={t('newRollout.releaseMode')}
          value={form.mode}
          onChange={(mode) => set({ mode })}
          options={[
            { value: 'auto', label: t('newRollout.releaseAuto') },
            { value: 'manual', label: t('newRollout.releaseManual') },
          ]}
        />
      </Field>
      <Field
        name="window"
        label={t('newRollout.window')}
        hint={words?.words ?? t('board.editWindowNow')}
        error={bad('window', t('formErrors.window'))}
      >
        <Input value={form.window} onChange={(window) => set({ window })} placeholder="* 2-5 * * *" />
      </Field>
      <div className="form__row">
        <Field
          name="gray"
          label={t('newRollout.gray')}
          hint={t('newRollout.grayHint')}
          error={bad('gray', t('formErrors.gray'))}
        >
          <Input value={form.gray} onChange={(gray) => set({ gray })} placeholder="10, 50" />
        </Field>
        <Field
          name="interval"
          label={t('newRollout.grayInterval')}
          hint={t('newRollout.grayIntervalHint')}
          error={bad('interval', t('formErrors.interval'))}
        >
          <Input value={form.interval} onChange={(interval) => set({ interval })} placeholder="2h" />
        </Field>
      </div>
      <div className="form__row">
        <Field name="canary" label={t('newRollout.canary')} error={bad('canary', t('formErrors.wholeNumber'))}>
          <Input value={form.canary} onChange={(canary) => set({ canary })} />
        </Field>
        <Field name="batch" label={t('newRollout.batchSize')} error={bad('batch', t('formErrors.wholeNumber'))}>
          <Input value={form.batch} onChange={(batch) => set({ batch })} />
        </Field>
        <Field name="failed" label={t('newRollout.maxFailed')} error={bad('failed', t('formErrors.percent'))}>
          <Input value={form.failed} onChange={(failed) => set({ failed })} />
        </Field>
      </div>
      {error !== null && <ProblemPanel error={error} />}
      <div className="buttons">
        <Button
          type="submit"
          loading={busy}
          disabled={wrong.length > 0 || Object.keys(change).length === 0}
          data-testid="rollout-save"
        >
          {t('common.save')}
        </Button>
        <Button variant="outline" theme="default" onClick={onDone}>
          {t('common.cancel')}
        </Button>
      </div>
    </form>
  );
}
