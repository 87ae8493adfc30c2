import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { RefreshIcon } from 'tdesign-icons-react';
import { api, call, newIdempotencyKey } from '../api/client';
import { syncQuery, syncsQuery } from '../api/merchants';
import { keys, metaQuery } from '../api/queries';
import type { SyncItem } from '../api/types';
import { nextNightly } from '../logic/directory';
import { duration } from '../logic/time';
import { Button } from './Button';
import { useConfirm } from './Confirm';
import { Figure, Figures } from './Figures';
import { Progress } from './Progress';
import { EmptyNote, QueryView } from './QueryView';
import { SidePanel } from './SidePanel';
import { ToneTag } from './StateTag';
import { useCan } from './session';
import { Time } from './Time';
import { useNow } from './useNow';

const tones = { running: 'working', completed: 'good', failed: 'bad' } as const;
const shownFailures = 500;

function SyncTag({ state }: { state: SyncItem['state'] }) {
  const { t } = useTranslation();
  return <ToneTag tone={tones[state]} text={t(`merchants.syncState.${state}`)} testId={`sync-state-${state}`} />;
}

/** failure takes "wx…: why" apart; a failure of the whole has no appid. */
function failure(text: string): { appid: string; why: string } {
  const found = /^(\S+?)[:：]\s*([\s\S]*)$/.exec(text);
  return found?.[1]?.startsWith('wx') ? { appid: found[1], why: found[2] ?? '' } : { appid: '', why: text };
}

function Run({ id }: { id: string }) {
  const { t, i18n } = useTranslation();
  const query = useQuery(syncQuery(id));
  return (
    <QueryView query={query} rows={4}>
      {(run) => {
        const errors = (run.errors ?? []).map(failure);
        return (
          <div className="stack" data-testid="sync-run">
            <div className="syncrun__head">
              <SyncTag state={run.state} />
              <span className="muted">
                <Time value={run.started_at} exact="both" />
                {run.finished_at &&
                  ` · ${t('merchants.syncTook')} ${duration(Date.parse(run.finished_at) - Date.parse(run.started_at), i18n.language)}`}
                {` · ${run.started_by || t('merchants.syncBySchedule')}`}
              </span>
            </div>
            {run.state === 'running' && (
              <>
                <Progress label={t('merchants.syncRunning')} done={run.done} total={run.total} />
                <p className="muted">{run.listed_at ? t('merchants.syncListedHint') : t('merchants.syncListing')}</p>
              </>
            )}
            <Figures>
              <Figure
                name={t('merchants.syncDone')}
                value={t('merchants.syncOf', { done: run.done, total: run.total })}
              />
              <Figure name={t('merchants.syncAdded')} value={run.added} />
              <Figure name={t('merchants.syncRecovered')} value={run.recovered} />
              <Figure name={t('merchants.syncWithdrawn')} value={run.withdrawn} />
              <Figure name={t('merchants.bulkFailed')} value={run.failed} tone="bad" />
            </Figures>
            {errors.length > 0 && (
              <section className="stack stack--tight">
                <h3>{t('merchants.syncFailures')}</h3>
                <p className="muted">
                  {t('merchants.syncFailuresHint')}
                  {run.state === 'running' && ` ${t('merchants.syncFailuresFirst', { n: errors.length })}`}
                </p>
                <ul className="whywho" data-testid="sync-failures">
                  {errors.slice(0, shownFailures).map((e) => (
                    <li key={`${e.appid} ${e.why}`}>
                      {e.appid && (
                        <Link to={`/authorizers/${e.appid}`}>
                          <code>{e.appid}</code>
                        </Link>
                      )}
                      <span>{e.why}</span>
                    </li>
                  ))}
                </ul>
                {errors.length > shownFailures && (
                  <p className="faint">{t('merchants.bulkShownFailed', { n: shownFailures })}</p>
                )}
              </section>
            )}
          </div>
        );
      }}
    </QueryView>
  );
}

function Runs({ runs }: { runs: SyncItem[] }) {
  const { t } = useTranslation();
  const [open, setOpen] = useState('');
  const shown = runs.find((r) => r.id === open) ?? runs[0];
  if (!shown) return <EmptyNote title={t('merchants.syncNever')} />;
  return (
    <>
      <Run id={shown.id} />
      {runs.length > 1 && (
        <section>
          <h3>{t('merchants.syncHistory')}</h3>
          <ul className="runs">
            {runs.map((r) => (
              <li key={r.id}>
                <button type="button" aria-pressed={r.id === shown.id} onClick={() => setOpen(r.id)}>
                  <SyncTag state={r.state} />
                  <Time value={r.started_at} />
                  <span className="faint">{r.started_by || t('merchants.syncBySchedule')}</span>
                  <span className="runs__end">
                    {t('merchants.syncOf', { done: r.done, total: r.total })}
                    {r.failed > 0 && <b className="bad"> · {t('merchants.syncFailedN', { n: r.failed })}</b>}
                  </span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

/** SyncLine tells how merchants were last compared with WeChat's list, when that is next, and starts it by hand. */
export function SyncLine() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  const now = useNow();
  const meta = useQuery(metaQuery);
  const query = useQuery(syncsQuery);
  const [open, setOpen] = useState(false);
  const runs = query.data?.items ?? [];
  const last = runs[0];
  const running = last?.state === 'running';
  const next = meta.data ? nextNightly(now, meta.data.timezone) : null;

  // What it has read is shown at its end, even if events got lost.
  const ran = useRef(false);
  useEffect(() => {
    if (ran.current && !running) void client.invalidateQueries({ queryKey: keys.authorizers });
    ran.current = running;
  }, [running, client]);

  const start = () =>
    confirm({
      title: t('authorizers.syncConfirm'),
      hint: t('authorizers.syncConfirmHint'),
      ok: t('authorizers.sync'),
      run: async () => {
        await call(api.POST('/authorizers/sync', { headers: { 'Idempotency-Key': newIdempotencyKey() } }));
        await client.invalidateQueries({ queryKey: keys.syncs });
      },
    });

  if (!query.data) return null;
  return (
    <div className="syncline" data-testid="sync-line" data-state={last?.state ?? 'never'}>
      {running && last ? (
        <>
          <span className="syncline__words" role="status">
            <b>{t('merchants.syncRunning')}</b>{' '}
            <span data-testid="sync-progress">
              {last.total > 0
                ? t('merchants.syncOf', { done: last.done, total: last.total })
                : t('merchants.syncListing')}
            </span>
            {last.failed > 0 && <span className="bad"> · {t('merchants.syncFailedN', { n: last.failed })}</span>}
          </span>
          <Progress label={t('merchants.syncRunning')} done={last.done} total={last.total} testId="sync-bar" />
        </>
      ) : (
        <span className="syncline__words">
          {last ? (
            <>
              {t('merchants.syncLast')} <Time value={last.finished_at ?? last.started_at} />{' '}
              {last.state === 'failed' ? (
                <b className="bad">{t('merchants.syncState.failed')}</b>
              ) : (
                <span className="muted" data-testid="sync-outcome">
                  {t('common.total', { n: last.done })} ·{' '}
                  {last.failed > 0 ? (
                    <span className="bad">{t('merchants.syncFailedN', { n: last.failed })}</span>
                  ) : (
                    t('merchants.syncAllGood')
                  )}
                </span>
              )}
            </>
          ) : (
            t('merchants.syncNever')
          )}
          {next !== null && (
            <span className="faint">
              {' · '}
              {t('merchants.syncNext')} <Time value={new Date(next).toISOString()} />
            </span>
          )}
        </span>
      )}
      <span className="syncline__buttons">
        {last && (
          <Button size="small" variant="text" onClick={() => setOpen(true)} data-testid="sync-details">
            {t('merchants.syncDetails')}
          </Button>
        )}
        {may && (
          <Button
            size="small"
            variant="outline"
            theme="default"
            icon={<RefreshIcon />}
            disabled={running}
            onClick={start}
            data-testid="sync"
          >
            {t('authorizers.sync')}
          </Button>
        )}
      </span>
      <SidePanel title={t('merchants.syncDetails')} open={open} onClose={() => setOpen(false)} testId="sync-panel">
        <Runs runs={runs} />
      </SidePanel>
    </div>
  );
}
