import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { TFunction } from 'i18next';
import { useCallback, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { actOnMany, auditPageQuery, auditSummaryQuery } from '../api/audits';
import { keys } from '../api/queries';
import type { Audit, AuditFilter, AuditSummary, ManyAction, ManyAnswer, RejectionReason } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import type { Column } from '../components/DataList';
import { Merchant } from '../components/Face';
import { Figure, Figures } from '../components/Figures';
import { ManyResult } from '../components/ManyResult';
import { PageHead, Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { EmptyNote, Loading, QueryView } from '../components/QueryView';
import { SearchBox } from '../components/SearchBox';
import { Segmented } from '../components/Segmented';
import { SidePanel } from '../components/SidePanel';
import { ToneTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { useFilter } from '../components/useFilter';
import { useNow } from '../components/useNow';
import { aPage, usePages } from '../components/usePages';
import { VirtualTable } from '../components/VirtualTable';
import { deskActions, deskStates, resubmittable } from '../logic/audits';
import { plainLines } from '../logic/text';
import { duration } from '../logic/time';
import { Resubmit } from './Resubmit';

type Picked = ReadonlyMap<string, Audit>;

const tones = { auditing: 'review', delayed: 'bad', rejected: 'bad', approved: 'action', withdrawn: 'ended' } as const;

function Summary({ summary }: { summary: AuditSummary }) {
  const { t, i18n } = useTranslation();
  const now = useNow();
  const { quota, oldest_submitted_at: oldest, median_seconds: usual } = summary;
  return (
    <Panel testId="audit-summary">
      <Figures>
        <Figure name={t('audits.auditing')} value={summary.auditing} testId="audits-auditing" />
        <Figure name={t('audits.delayed')} value={summary.delayed} tone="bad" testId="audits-delayed" />
        <Figure name={t('audits.rejected')} value={summary.rejected} tone="bad" testId="audits-rejected" />
        <Figure name={t('audits.approved')} value={summary.approved} tone="good" testId="audits-approved" />
        <Figure name={t('audits.quota')} value={quota ? `${quota.rest} / ${quota.limit}` : '—'} testId="audits-quota" />
        <Figure
          name={t('audits.speedups')}
          value={quota ? `${quota.speedup_rest} / ${quota.speedup_limit}` : '—'}
          testId="audits-speedups"
        />
      </Figures>
      <p className="facts">
        {oldest && (
          <span>
            {t('audits.longest')} {duration(Math.max(0, now - Date.parse(oldest)), i18n.language)}
          </span>
        )}
        <span>
          {t('audits.usual')} {typeof usual === 'number' ? duration(usual * 1000, i18n.language) : t('audits.unknown')}
        </span>
        {quota ? (
          <span>
            {t('audits.quotaReadAt')} <Time value={quota.read_at} />
          </span>
        ) : (
          <span>{t('audits.quotaNever')}</span>
        )}
      </p>
      {summary.statement && <p className="faint">{summary.statement}</p>}
    </Panel>
  );
}

function Remedies({ remedies }: { remedies: string[] | null }) {
  const { t } = useTranslation();
  if (!remedies || remedies.length === 0) return null;
  return (
    <details className="remedies">
      <summary>{t('audits.remedies')}</summary>
      <ul>
        {remedies.map((r) => (
          <li key={r}>{r}</li>
        ))}
      </ul>
    </details>
  );
}

function Reasons({ reasons, onResubmit }: { reasons: RejectionReason[]; onResubmit: (ids: string[]) => void }) {
  const { t } = useTranslation();
  const may = useCan('operator');
  if (reasons.length === 0) return null;
  return (
    <Panel title={t('audits.reasons')} hint={t('audits.reasonsHint')} testId="audit-reasons">
      <ul className="reasons">
        {reasons.map((r) => (
          <li key={r.reason} data-testid="audit-reason">
            <div className="reasons__text">
              {plainLines(r.reason).map((line, i) => (
                <p key={i}>{line}</p>
              ))}
              <Remedies remedies={r.remedies} />
            </div>
            <div className="reasons__side">
              <b>{t('audits.merchantsN', { n: r.count })}</b>
              {may && (
                <Button
                  variant="outline"
                  onClick={() => onResubmit(r.submission_ids ?? [])}
                  data-testid="resubmit-reason"
                >
                  {t('audits.resubmitN', { n: r.submission_ids?.length ?? 0 })}
                </Button>
              )}
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Waiting({ audit }: { audit: Audit }) {
  const { t, i18n } = useTranslation();
  const now = useNow();
  const ended = audit.ended_at ? Date.parse(audit.ended_at) : null;
  const expected = audit.expected_at ? Date.parse(audit.expected_at) : null;
  const span = duration(Math.max(0, (ended ?? now) - Date.parse(audit.submitted_at)), i18n.language);
  return (
    <span className="stacked">
      <span>
        {ended === null ? t('audits.waited') : t('audits.took')} {span}
      </span>
      {ended === null && expected !== null && (
        <span className="faint">
          {expected < now ? (
            t('audits.overdue')
          ) : (
            <>
              {t('audits.expected')} <Time value={audit.expected_at} />
            </>
          )}
        </span>
      )}
    </span>
  );
}

function Speed({ audit }: { audit: Audit }) {
  const { t } = useTranslation();
  const word = { done: t('audits.sped'), wanted: t('audits.speedWanted'), refused: t('audits.speedRefused') };
  if (!audit.speed_up) return null;
  return (
    <span className="pill" title={audit.speed_up_error?.hint || audit.speed_up_error?.detail}>
      {word[audit.speed_up]}
    </span>
  );
}

function Reason({ audit }: { audit: Audit }) {
  const { t } = useTranslation();
  const lines = plainLines(audit.reason);
  const shots = audit.screenshots ?? [];
  return (
    <div className="deskreason">
      <Speed audit={audit} />
      {lines.map((line, i) => (
        <p key={i}>{line}</p>
      ))}
      {shots.length > 0 && (
        <div className="shots shots--small">
          {shots.map((url, i) => (
            <a key={url} href={url} target="_blank" rel="noreferrer" data-testid="desk-screenshot">
              <img src={url} alt={t('submission.screenshot', { n: i + 1 })} loading="lazy" />
            </a>
          ))}
        </div>
      )}
      {audit.state === 'rejected' && <Remedies remedies={audit.remedies} />}
      {lines.length === 0 && shots.length === 0 && !audit.speed_up && <span className="none">—</span>}
    </div>
  );
}

const keyOf = (a: Audit) => a.submission_id;

function columnsOf(t: TFunction, pick: Column<Audit> | null): Column<Audit>[] {
  const columns: Column<Audit>[] = [
    {
      key: 'name',
      title: t('authorizers.name'),
      card: 'head',
      render: (a) => (
        <Link
          className="plain"
          to={`/rollouts/${a.rollout_id}/${a.submission_id}`}
          data-testid={`desk-open-${a.appid}`}
        >
          <Merchant name={a.nick_name} appid={a.appid} />
        </Link>
      ),
    },
    {
      key: 'state',
      title: t('common.state'),
      card: 'corner',
      render: (a) => <ToneTag tone={tones[a.state]} text={t(`audits.${a.state}`)} testId={`desk-${a.state}`} />,
    },
    {
      key: 'version',
      title: t('rollouts.version'),
      render: (a) => (
        <span className="stacked">
          <code>{a.user_version}</code>
          <span className="faint">{a.rollout_name}</span>
        </span>
      ),
    },
    { key: 'waiting', title: t('audits.time'), render: (a) => <Waiting audit={a} /> },
    { key: 'reason', title: t('audits.reason'), width: '36%', render: (a) => <Reason audit={a} /> },
  ];
  return pick ? [pick, ...columns] : columns;
}

function List({ filter, onResubmit }: { filter: AuditFilter; onResubmit: (ids: string[]) => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  const pages = usePages((cursor) => auditPageQuery({ ...filter, limit: aPage }, cursor));
  const { rows, failed, complete } = pages;
  const summary = useQuery(auditSummaryQuery);
  const [chosen, setChosen] = useState<Picked>(new Map());
  const [reading, setReading] = useState(false);
  // found is what was picked with all, also those further down.
  const [found, setFound] = useState<Picked | null>(null);
  const [answer, setAnswer] = useState<ManyAnswer | null>(null);
  const [acted, setActed] = useState<ManyAction | null>(null);
  // What is acted on is named after it has left the desk.
  const [names, setNames] = useState<Picked>(chosen);
  // What has left the desk is picked no longer, as far as is known.
  const picked: Picked = useMemo(() => {
    const here = new Map(rows.map((a) => [a.submission_id, a]));
    return new Map(
      [...chosen].flatMap(([id, old]) => {
        const now = here.get(id) ?? (complete ? undefined : old);
        return now ? [[id, now] as const] : [];
      }),
    );
  }, [chosen, rows, complete]);
  const all = rows.length > 0 && rows.every((a) => chosen.has(a.submission_id));
  const pick = useCallback(
    (some: readonly Audit[], on: boolean) =>
      setChosen((old) => {
        const next = new Map(old);
        for (const a of some) {
          if (on) next.set(a.submission_id, a);
          else next.delete(a.submission_id);
        }
        return next;
      }),
    [],
  );
  const states = new Set([...picked.values()].map((a) => a.state));

  async function pickFound() {
    setReading(true);
    try {
      const everything = new Map((await pages.all()).map((a) => [a.submission_id, a]));
      setFound(everything);
      setChosen(everything);
    } catch (thrown) {
      toast.problem(thrown, t('problem.generic'));
    } finally {
      setReading(false);
    }
  }

  function act(action: ManyAction, some: string[]) {
    const key = action as keyof typeof words;
    const words = { 'speed-up': 1, withdraw: 1, release: 1, retry: 1 } as const;
    confirm({
      title: t(`audits.confirm.${key}`),
      hint: (
        <>
          <p>{t('audits.picked', { n: some.length })}</p>
          <p>{t(`audits.confirmHint.${key}`, { speed: summary.data?.quota?.speedup_rest ?? '—' })}</p>
        </>
      ),
      ok: t(`audits.actions.${key}`),
      danger: action === 'withdraw',
      run: async () => {
        const done = await actOnMany(action, some);
        setActed(action);
        setAnswer(done);
        setNames(picked);
        setChosen(new Map());
        await client.invalidateQueries({ queryKey: keys.submissions });
      },
    });
  }

  const columns = useMemo(
    () =>
      columnsOf(
        t,
        may
          ? {
              key: 'pick',
              title: '',
              width: '44px',
              card: 'pick',
              head: (
                <input
                  type="checkbox"
                  className="tick"
                  aria-label={t('audits.pickAll')}
                  checked={all}
                  onChange={(e) => pick(rows, e.target.checked)}
                  data-testid="pick-shown"
                />
              ),
              render: (a) => (
                <input
                  type="checkbox"
                  className="tick"
                  aria-label={t('audits.pick', { name: a.nick_name || a.appid })}
                  checked={chosen.has(a.submission_id)}
                  onChange={(e) => pick([a], e.target.checked)}
                  data-testid={`pick-${a.appid}`}
                />
              ),
            }
          : null,
      ),
    [t, may, all, rows, chosen, pick],
  );
  if (pages.total === undefined) {
    return failed ? <ProblemPanel error={failed.error} onRetry={() => void failed.refetch()} /> : <Loading rows={6} />;
  }
  return (
    <>
      <div className="panel panel--flush">
        {failed && <ProblemPanel stale error={failed.error} onRetry={() => void failed.refetch()} />}
        {pages.room === 0 ? (
          filter.q || filter.user_version ? (
            <EmptyNote title={t('audits.none')} />
          ) : (
            <EmptyNote title={t('audits.empty')} hint={t('audits.emptyHint')} />
          )
        ) : (
          <VirtualTable
            columns={columns}
            rows={rows}
            total={pages.room}
            rowKey={keyOf}
            nameOf={(a) => a.appid}
            rowClass={(a) => (chosen.has(a.submission_id) ? 'picked' : undefined)}
            testId="audit"
            label={t('audits.title')}
            onSeen={pages.onSeen}
          />
        )}
      </div>
      {may && picked.size > 0 && (
        <section className="pickbar" aria-label={t('audits.title')} data-testid="pick-bar">
          <span role="status">{t('audits.picked', { n: picked.size })}</span>
          {!complete && chosen !== found && (
            <button
              type="button"
              className="plainbutton"
              disabled={reading}
              onClick={() => void pickFound()}
              data-testid="pick-found"
            >
              {t('audits.pickFound')}
            </button>
          )}
          <button type="button" className="plainbutton" onClick={() => setChosen(new Map())} data-testid="pick-none">
            {t('audits.clear')}
          </button>
          {deskActions(states).map((action) => (
            <Button
              key={action}
              variant="outline"
              theme={action === 'withdraw' ? 'danger' : 'default'}
              onClick={() => act(action, [...picked.keys()])}
              data-testid={`many-${action}`}
            >
              {t(`audits.actions.${action}`)}
            </Button>
          ))}
          {resubmittable(states) && (
            <Button onClick={() => onResubmit([...picked.keys()])} data-testid="many-resubmit">
              {t('audits.resubmit')}
            </Button>
          )}
        </section>
      )}
      <SidePanel title={t('audits.result')} open={answer !== null} onClose={() => setAnswer(null)} testId="many-panel">
        {answer && acted && (
          <ManyResult
            answer={answer}
            nameOf={(id) => names.get(id)?.nick_name || names.get(id)?.appid || id}
            onAgain={(some) => {
              setAnswer(null);
              act(acted, some);
            }}
            onClose={() => setAnswer(null)}
          />
        )}
      </SidePanel>
    </>
  );
}

/** AuditDesk is where reviews of all merchants are watched, and rejections are mended, many at a time. */
export default function AuditDesk() {
  const { t } = useTranslation();
  const [filter, setFilter] = useFilter(['state', 'q', 'user_version', 'rollout_id']);
  const summary = useQuery(auditSummaryQuery);
  const [mending, setMending] = useState<string[] | null>(null);
  const search = useCallback((q: string) => setFilter('q', q), [setFilter]);
  const state = deskStates.find((s) => s === filter.state);
  const asked: AuditFilter = {
    state,
    q: filter.q || undefined,
    user_version: filter.user_version || undefined,
    rollout_id: filter.rollout_id || undefined,
  };
  return (
    <>
      <PageHead title={t('audits.title')} />
      <p className="muted lead">{t('audits.intro')}</p>
      <QueryView query={summary} rows={2}>
        {(data) => (
          <>
            <Summary summary={data} />
            <Reasons reasons={data.reasons ?? []} onResubmit={setMending} />
          </>
        )}
      </QueryView>
      <div className="toolbar">
        <Segmented
          name="desk-state"
          label={t('common.state')}
          value={state ?? ''}
          onChange={(v) => setFilter('state', v)}
          options={[
            { value: '', label: t('audits.reviewing') },
            ...deskStates.map((s) => ({ value: s, label: t(`audits.${s}`) })),
          ]}
        />
        <SearchBox value={filter.q} onSearch={search} placeholder={t('audits.search')} />
      </div>
      <List key={JSON.stringify(asked)} filter={asked} onResubmit={setMending} />
      <SidePanel
        title={t('audits.resubmit')}
        open={mending !== null}
        onClose={() => setMending(null)}
        testId="resubmit-panel"
      >
        {mending && <Resubmit ids={mending} nameOf={(id) => `#${id}`} onClose={() => setMending(null)} />}
      </SidePanel>
    </>
  );
}
