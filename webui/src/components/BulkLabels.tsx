import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call } from '../api/client';
import { labelsQuery } from '../api/merchants';
import { keys } from '../api/queries';
import type { LabelResult } from '../api/types';
import { conflict, failedTarget, labelChange, narrowed, type Target, targetSize } from '../logic/directory';
import { Button } from './Button';
import { useCopy } from './Copy';
import { Field } from './Field';
import { Figure, Figures } from './Figures';
import { ProblemPanel } from './ProblemPanel';
import { Segmented } from './Segmented';
import { TagsField } from './TagsField';

const shownFailures = 200;

function Result({
  result,
  onAgain,
  onClose,
}: {
  result: LabelResult;
  onAgain: (who: Target) => void;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  const copy = useCopy();
  const failed = result.failed ?? [];
  const again = failedTarget(result);
  return (
    <div className="stack" data-testid="bulk-result">
      <Figures>
        <Figure name={t('merchants.bulkChanged')} value={result.changed} tone="good" testId="bulk-changed" />
        <Figure name={t('merchants.bulkUnchanged')} value={result.unchanged} testId="bulk-unchanged" />
        <Figure name={t('merchants.bulkFailed')} value={failed.length} tone="bad" testId="bulk-failed" />
      </Figures>
      <p className={again ? 'banner' : 'muted'} role="status">
        {again ? t('merchants.bulkSomeFailed', { n: failed.length }) : t('merchants.bulkAllGood')}
      </p>
      {again && (
        <ul className="whywho">
          {failed.slice(0, shownFailures).map((f) => (
            <li key={f.appid} data-testid={`bulk-failure-${f.appid}`}>
              <code>{f.appid}</code>
              <span>{f.detail}</span>
            </li>
          ))}
        </ul>
      )}
      {failed.length > shownFailures && <p className="faint">{t('merchants.bulkShownFailed', { n: shownFailures })}</p>}
      <div className="buttons">
        {again && (
          <Button onClick={() => onAgain(again)} data-testid="bulk-again">
            {t('merchants.bulkAgain', { n: failed.length })}
          </Button>
        )}
        {again && (
          <Button variant="outline" theme="default" onClick={() => void copy(failed.map((f) => f.appid).join('\n'))}>
            {t('merchants.copyAppids')}
          </Button>
        )}
        <Button
          variant={again ? 'text' : 'base'}
          theme={again ? 'default' : 'primary'}
          onClick={onClose}
          data-testid="bulk-close"
        >
          {t('common.close')}
        </Button>
      </div>
    </div>
  );
}

interface Props {
  /** targets are the choices of who is meant, the first one chosen. */
  targets: Target[];
  onDone: (result: LabelResult) => void;
  onClose: () => void;
}

function useTargetName() {
  const { t } = useTranslation();
  return (target: Target) => {
    const n = targetSize(target);
    if ('appids' in target)
      return target.again ? t('merchants.bulkTargetAgain', { n }) : t('merchants.bulkTargetPicked', { n });
    return narrowed(target.filter) ? t('merchants.bulkTargetFilter', { n }) : t('merchants.bulkTargetAll', { n });
  };
}

/** BulkLabels adds and removes labels of many merchants, and says of whom it could not and why. */
export function BulkLabels({ targets, onDone, onClose }: Props) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const name = useTargetName();
  const known = useQuery(labelsQuery());
  const [at, setAt] = useState('0');
  const [again, setAgain] = useState<Target | null>(null);
  const [add, setAdd] = useState<string[]>([]);
  const [remove, setRemove] = useState<string[]>([]);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [result, setResult] = useState<LabelResult | null>(null);
  const target = again ?? targets[Number(at)] ?? targets[0];
  if (!target) return null;
  const n = targetSize(target);
  const both = conflict(add, remove);
  const suggestions = (known.data?.items ?? []).toSorted((a, b) => b.count - a.count).map((l) => l.label);

  async function run(who: Target) {
    setBusy(true);
    setError(null);
    try {
      const done = await call(api.POST('/authorizers/labels', { body: labelChange(who, add, remove) }));
      setResult(done);
      onDone(done);
      await client.invalidateQueries({ queryKey: keys.authorizers });
    } catch (thrown) {
      setError(thrown);
      setResult(null);
    } finally {
      setBusy(false);
    }
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    void run(target as Target);
  }

  if (result) {
    return (
      <Result
        result={result}
        onClose={onClose}
        onAgain={(who) => {
          setAgain(who);
          setResult(null);
        }}
      />
    );
  }
  return (
    <form className="form" onSubmit={submit} data-testid="bulk-labels">
      <Field name="target" group label={t('merchants.bulkTarget')}>
        {again || targets.length === 1 ? (
          <b data-testid="bulk-target">{name(target)}</b>
        ) : (
          <Segmented
            name="target"
            label={t('merchants.bulkTarget')}
            value={at}
            onChange={setAt}
            options={targets.map((who, i) => ({ value: String(i), label: name(who) }))}
          />
        )}
      </Field>
      <Field name="add-labels" group label={t('merchants.addLabels')}>
        <TagsField
          label={t('merchants.addLabels')}
          value={add}
          onChange={setAdd}
          placeholder={t('merchants.labelPlaceholder')}
          suggestions={suggestions}
        />
      </Field>
      <Field
        name="remove-labels"
        group
        label={t('merchants.removeLabels')}
        hint={t('merchants.bulkHint')}
        error={both && t('merchants.bulkBoth', { label: both })}
      >
        <TagsField
          label={t('merchants.removeLabels')}
          value={remove}
          onChange={setRemove}
          placeholder={t('merchants.labelPlaceholder')}
          suggestions={suggestions}
        />
      </Field>
      {error !== null && <ProblemPanel compact error={error} />}
      <div>
        <Button
          type="submit"
          loading={busy}
          disabled={n === 0 || add.length + remove.length === 0 || both !== undefined}
          data-testid="bulk-run"
        >
          {t('merchants.bulkRun', { n })}
        </Button>
      </div>
    </form>
  );
}
