import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call } from '../api/client';
import { labelsQuery } from '../api/merchants';
import { keys } from '../api/queries';
import type { AuthorizerDetail, AuthorizerPatch } from '../api/types';
import { Button } from '../components/Button';
import { Field } from '../components/Field';
import { JsonEditor } from '../components/JsonEditor';
import { Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { useCan } from '../components/session';
import { TagsField } from '../components/TagsField';
import { toast } from '../components/toast';
import { size } from '../logic/importing';
import { checkObject } from '../logic/json';
import { changedParts, editedSince, ownOf, sameOwn } from '../logic/owndata';

const mostExt = 64 * 1024;

/** MerchantOwnData edits what only we know of a merchant. */
export function MerchantOwnData({ merchant }: { merchant: AuthorizerDetail }) {
  const { t, i18n } = useTranslation();
  const client = useQueryClient();
  const may = useCan('operator');
  const known = useQuery({ ...labelsQuery(), enabled: may });
  const stored = useMemo(() => ownOf(merchant), [merchant]);
  const [base, setBase] = useState(stored);
  const [own, setOwn] = useState(stored);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  const changed = !sameOwn(own, base);
  const theirs = !sameOwn(stored, base);
  // As long as nothing is edited, what others save is simply shown.
  if (theirs && !changed) {
    setBase(stored);
    setOwn(stored);
  }
  const checked = useMemo(() => checkObject(own.ext), [own.ext]);
  const bytes = useMemo(() => new TextEncoder().encode(own.ext).length, [own.ext]);
  const tooLarge = bytes > mostExt;

  async function save(event: FormEvent) {
    event.preventDefault();
    if (!('value' in checked)) return;
    setBusy(true);
    setError(null);
    try {
      const body: AuthorizerPatch = changedParts(base, own, checked.value);
      const answer = await call(
        api.PATCH('/authorizers/{appid}', { params: { path: { appid: merchant.appid } }, body }),
      );
      const saved = ownOf(answer);
      setBase(saved);
      setOwn((now) => editedSince(own, now, saved));
      client.setQueryData(keys.authorizer(merchant.appid), answer);
      await client.invalidateQueries({ queryKey: keys.authorizers });
      toast.success(t('common.saved'));
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }

  const revert = (to: typeof stored) => {
    setBase(stored);
    setOwn(to);
    setError(null);
  };
  const labels = (known.data?.items ?? []).toSorted((a, b) => b.count - a.count).map((l) => l.label);
  return (
    <form onSubmit={(e) => void save(e)} data-testid="own-data">
      <fieldset className="bare columns columns--own" disabled={!may}>
        <Panel title={t('authorizers.ext')} hint={t('authorizers.extHint')}>
          <JsonEditor
            label={t('authorizers.ext')}
            value={own.ext}
            onChange={(ext) => setOwn({ ...own, ext })}
            checked={checked}
            disabled={!may}
          />
          {tooLarge && (
            <p className="note--bad" role="alert">
              {t('merchants.json.tooLarge', { size: size(bytes, i18n.language) })}
            </p>
          )}
          {may && (
            <div className="buttons">
              <Button
                size="small"
                variant="outline"
                theme="default"
                disabled={!('value' in checked)}
                onClick={() => 'value' in checked && setOwn({ ...own, ext: JSON.stringify(checked.value, null, 2) })}
                data-testid="json-format"
              >
                {t('merchants.json.format')}
              </Button>
              <Button
                size="small"
                variant="text"
                theme="default"
                disabled={own.ext === base.ext}
                onClick={() => setOwn({ ...own, ext: base.ext })}
              >
                {t('merchants.json.restore')}
              </Button>
            </div>
          )}
        </Panel>
        <div className="stack">
          <Panel title={t('authorizers.own')} hint={t('authorizers.ownHint')}>
            <div className="form">
              <Field name="biz-ids" group label={t('authorizers.bizIds')}>
                <TagsField
                  label={t('authorizers.bizIds')}
                  value={own.bizIds}
                  onChange={(bizIds) => setOwn({ ...own, bizIds })}
                  placeholder={may ? t('authorizers.tagPlaceholder') : t('merchants.ownEmpty')}
                />
              </Field>
              <Field name="labels" group label={t('authorizers.labels')}>
                <TagsField
                  label={t('authorizers.labels')}
                  value={own.labels}
                  onChange={(next) => setOwn({ ...own, labels: next })}
                  placeholder={may ? t('authorizers.tagPlaceholder') : '—'}
                  suggestions={may ? labels : []}
                />
              </Field>
            </div>
          </Panel>
          {theirs && changed && !busy && (
            <div className="banner" role="status" data-testid="own-conflict">
              {t('merchants.changedMeanwhile')}{' '}
              <button type="button" className="plainbutton" onClick={() => revert(stored)}>
                {t('merchants.takeTheirs')}
              </button>
            </div>
          )}
          {error !== null && <ProblemPanel error={error} />}
          {may && (
            <div className="buttons">
              <Button
                type="submit"
                loading={busy}
                disabled={!changed || !('value' in checked) || tooLarge}
                data-testid="save-own"
              >
                {t('common.save')}
              </Button>
              {changed && <span className="faint savenote">{t('merchants.unsaved')}</span>}
            </div>
          )}
        </div>
      </fieldset>
    </form>
  );
}
