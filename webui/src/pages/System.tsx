import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { CheckCircleFilledIcon, CloseCircleFilledIcon } from 'tdesign-icons-react';
import { adminKeys, jobsQuery, systemQuery } from '../api/admin';
import { api, call } from '../api/client';
import type { Job, SystemState } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { type Column, DataList, DataTable } from '../components/DataList';
import { NeedsRole } from '../components/NeedsRole';
import { PageHead, Pairs, Panel } from '../components/PageHead';
import { EmptyNote, QueryView } from '../components/QueryView';
import { SidePanel } from '../components/SidePanel';
import { ToneTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { Tabs } from '../components/Tabs';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { useFilter } from '../components/useFilter';
import { oneOf } from '../logic/oneof';
import {
  argsText,
  bytes,
  jobActions,
  jobStates,
  jobTone,
  type Migration,
  type Queue,
  type Replica,
  schema,
} from '../logic/system';

function Checks({ checks }: { checks: NonNullable<SystemState['checks']> }) {
  const { t } = useTranslation();
  return (
    <ul className="checks">
      {checks.map((c) => (
        <li
          key={c.name}
          className={`check check--${c.ok ? 'ok' : 'bad'}`}
          data-testid={`check-${c.name}`}
          data-ok={c.ok}
        >
          {c.ok ? (
            <CheckCircleFilledIcon aria-label={t('system.ok')} />
          ) : (
            <CloseCircleFilledIcon aria-label={t('system.wrong')} />
          )}
          <span>
            <b>{t(`system.checks.${c.name}`)}</b>
            <small>{c.detail}</small>
          </span>
        </li>
      ))}
    </ul>
  );
}

function Replicas({ replicas }: { replicas: Replica[] }) {
  const { t } = useTranslation();
  const columns: Column<Replica>[] = [
    {
      key: 'host',
      title: t('system.host'),
      card: 'head',
      render: (r) => (
        <span className="named">
          <b>
            {r.host} {r.current && <span className="faint">{t('system.current')}</span>}
          </b>
          <code>{r.id}</code>
        </span>
      ),
    },
    {
      key: 'live',
      title: t('common.state'),
      card: 'corner',
      render: (r) => <ToneTag tone={r.live ? 'good' : 'bad'} text={r.live ? t('system.live') : t('system.silent')} />,
    },
    { key: 'version', title: t('system.version'), render: (r) => <code className="cut">{r.version}</code> },
    { key: 'started', title: t('system.started'), render: (r) => <Time value={r.started_at} /> },
    { key: 'seen', title: t('system.seen'), render: (r) => <Time value={r.seen_at} /> },
  ];
  return (
    <DataTable rows={replicas} columns={columns} rowKey={(r) => r.id} testId="replica" label={t('system.replicas')} />
  );
}

const counted = ['available', 'running', 'retryable', 'scheduled', 'discarded'] as const;

function Queues({ queues, onPick }: { queues: Queue[]; onPick: (queue: string, state: string) => void }) {
  const { t } = useTranslation();
  if (queues.length === 0) return <EmptyNote title={t('system.noJobs')} />;
  const columns: Column<Queue>[] = [
    { key: 'queue', title: t('system.queue'), card: 'head', render: (q) => <code>{q.queue}</code> },
    ...counted.map(
      (state): Column<Queue> => ({
        key: state,
        title: t(`system.states.${state}`),
        align: 'end',
        render: (q) =>
          q[state] > 0 ? (
            <button
              type="button"
              className={`linkbutton${state === 'discarded' || state === 'retryable' ? ' linkbutton--warn' : ''}`}
              onClick={() => onPick(q.queue, state)}
              data-testid={`queue-${q.queue}-${state}`}
            >
              {q[state]}
            </button>
          ) : (
            <span className="none">0</span>
          ),
      }),
    ),
  ];
  return (
    <DataTable rows={queues} columns={columns} rowKey={(q) => q.queue} testId="queue" label={t('system.queues')} />
  );
}

function JobTag({ state }: { state: Job['state'] }) {
  const { t } = useTranslation();
  return <ToneTag tone={jobTone(state)} text={t(`system.states.${state}`)} testId={`job-state-${state}`} />;
}

function useJobActions(onDone: (job: Job) => void) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  return (job: Job, action: 'retry' | 'discard') =>
    confirm({
      title: t(`system.${action}Confirm`, { kind: job.kind, id: job.id }),
      hint: t(`system.${action}Hint`),
      ok: t(`system.${action}`),
      danger: action === 'discard',
      run: async () => {
        const params = { path: { id: job.id } };
        onDone(
          await call(
            action === 'retry' ? api.POST('/jobs/{id}/retry', { params }) : api.POST('/jobs/{id}/discard', { params }),
          ),
        );
        toast.success(t(`system.${action}Done`));
        await Promise.all([
          client.invalidateQueries({ queryKey: adminKeys.jobs }),
          client.invalidateQueries({ queryKey: adminKeys.system }),
        ]);
      },
    });
}

function JobView({ job, onAction }: { job: Job; onAction: (job: Job, action: 'retry' | 'discard') => void }) {
  const { t } = useTranslation();
  return (
    <>
      <Pairs
        brief
        items={[
          [t('common.state'), <JobTag key="state" state={job.state} />],
          [t('system.queue'), <code key="queue">{job.queue}</code>],
          [t('system.tries'), `${job.attempt} / ${job.max_attempts}`],
          [t('common.createdAt'), <Time key="created" value={job.created_at} exact />],
          [t('system.due'), <Time key="due" value={job.scheduled_at} exact />],
          [t('system.tried'), job.attempted_at && <Time key="tried" value={job.attempted_at} exact />],
          [t('system.finished'), job.finalized_at && <Time key="finished" value={job.finalized_at} exact />],
          [t('system.worker'), job.attempted_by && <code key="worker">{job.attempted_by}</code>],
        ]}
      />
      <div className="buttons">
        {jobActions(job.state).map((action) => (
          <Button
            key={action}
            variant="outline"
            theme={action === 'discard' ? 'danger' : 'primary'}
            onClick={() => onAction(job, action)}
            data-testid={`job-${action}`}
          >
            {t(`system.${action}`)}
          </Button>
        ))}
      </div>
      {job.error && (
        <section>
          <h3>{t('system.error')}</h3>
          <pre className="code" data-testid="job-error">
            {job.error}
          </pre>
        </section>
      )}
      <section>
        <h3>{t('system.args')}</h3>
        <pre className="code">{JSON.stringify(job.args, null, 2)}</pre>
      </section>
    </>
  );
}

function Jobs({ queues }: { queues: Queue[] }) {
  const { t } = useTranslation();
  const [filter, set] = useFilter(['queue', 'state', 'kind']);
  const [open, setOpen] = useState<Job | null>(null);
  const act = useJobActions((job) => setOpen((old) => (old ? job : null)));
  const list = useInfiniteQuery(
    jobsQuery({
      queue: filter.queue || undefined,
      state: oneOf(filter.state, jobStates),
      kind: filter.kind || undefined,
    }),
  );
  const columns: Column<Job>[] = [
    {
      key: 'kind',
      title: t('system.kind'),
      card: 'head',
      render: (j) => (
        <button
          type="button"
          className="linkbutton linkbutton--row"
          onClick={() => setOpen(j)}
          data-testid={`open-job-${j.id}`}
        >
          <b>{j.kind}</b>
          <small className="faint">{argsText(j.args)}</small>
        </button>
      ),
    },
    { key: 'state', title: t('common.state'), card: 'corner', render: (j) => <JobTag state={j.state} /> },
    { key: 'queue', title: t('system.queue'), render: (j) => <code>{j.queue}</code> },
    { key: 'tries', title: t('system.tries'), render: (j) => `${j.attempt} / ${j.max_attempts}` },
    {
      key: 'error',
      title: t('system.error'),
      render: (j) => (j.error ? <small className="cut note--bad">{j.error}</small> : <span className="none">—</span>),
    },
    { key: 'due', title: t('system.due'), render: (j) => <Time value={j.scheduled_at} /> },
    {
      key: 'do',
      title: '',
      card: 'foot',
      align: 'end',
      render: (j) => (
        <span className="buttons">
          {jobActions(j.state).map((action) => (
            <Button
              key={action}
              size="small"
              variant="outline"
              theme={action === 'discard' ? 'danger' : 'default'}
              onClick={() => act(j, action)}
              data-testid={`${action}-${j.id}`}
            >
              {t(`system.${action}`)}
            </Button>
          ))}
        </span>
      ),
    },
  ];
  return (
    <>
      <div className="toolbar">
        <select
          className="input input--select"
          aria-label={t('system.queue')}
          value={filter.queue}
          onChange={(e) => set('queue', e.target.value)}
          data-testid="filter-queue"
        >
          <option value="">{t('system.anyQueue')}</option>
          {[...new Set([...queues.map((q) => q.queue), filter.queue])].filter(Boolean).map((queue) => (
            <option key={queue}>{queue}</option>
          ))}
        </select>
        <select
          className="input input--select"
          aria-label={t('common.state')}
          value={filter.state}
          onChange={(e) => set('state', e.target.value)}
          data-testid="filter-job-state"
        >
          <option value="">{t('system.anyState')}</option>
          {jobStates.map((state) => (
            <option key={state} value={state}>
              {t(`system.states.${state}`)}
            </option>
          ))}
        </select>
      </div>
      <div className="panel panel--flush">
        <DataList
          query={list}
          columns={columns}
          rowKey={(j) => j.id}
          testId="job"
          label={t('system.jobs')}
          empty={<EmptyNote title={filter.queue || filter.state ? t('common.noMatches') : t('system.noJobs')} />}
        />
      </div>
      <SidePanel
        testId="job-detail"
        title={open ? `${open.kind} ${open.id}` : ''}
        open={open !== null}
        onClose={() => setOpen(null)}
      >
        {open && <JobView job={open} onAction={act} />}
      </SidePanel>
    </>
  );
}

type Table = NonNullable<SystemState['database']['tables']>[number];

function Database({ database }: { database: SystemState['database'] }) {
  const { t, i18n } = useTranslation();
  const tables = database.tables ?? [];
  const migrations = database.migrations ?? [];
  const number = new Intl.NumberFormat(i18n.language);
  const tableColumns: Column<Table>[] = [
    { key: 'name', title: t('system.table'), card: 'head', render: (row) => <code>{row.name}</code> },
    {
      key: 'bytes',
      title: t('system.size'),
      align: 'end',
      render: (row) => bytes(row.bytes, i18n.language),
    },
    { key: 'rows', title: t('system.rows'), align: 'end', render: (row) => number.format(row.rows_estimate) },
  ];
  const migrationColumns: Column<Migration>[] = [
    {
      key: 'name',
      title: t('system.migration'),
      card: 'head',
      render: (m) => (
        <span>
          {m.source} {m.version} <span className="faint">{m.name}</span>
        </span>
      ),
    },
    {
      key: 'applied',
      title: t('system.applied'),
      render: (m) =>
        m.applied_at ? <Time value={m.applied_at} exact /> : <ToneTag tone="action" text={t('system.toCome')} />,
    },
  ];
  return (
    <div className="stack">
      <Panel title={t('system.tables')} hint={t('system.tablesHint')} testId="tables">
        <DataTable
          rows={tables}
          columns={tableColumns}
          rowKey={(row) => row.name}
          testId="table"
          label={t('system.tables')}
        />
      </Panel>
      <Panel title={t('system.migrations')} testId="migrations">
        <DataTable
          rows={migrations}
          columns={migrationColumns}
          rowKey={(m) => `${m.source}-${m.version}`}
          testId="migration"
          label={t('system.migrations')}
        />
      </Panel>
    </div>
  );
}

function Overview({ state, onPick }: { state: SystemState; onPick: (queue: string, state: string) => void }) {
  const { t, i18n } = useTranslation();
  const schemas = schema(state.database.migrations ?? []);
  return (
    <div className="stack">
      <Panel testId="system-facts">
        <Pairs
          items={[
            [t('system.version'), <code key="version">{state.version}</code>],
            [t('system.commit'), state.commit && <code key="commit">{state.commit.slice(0, 12)}</code>],
            [t('system.go'), <code key="go">{state.go}</code>],
            [t('system.started'), <Time key="started" value={state.started_at} exact="both" />],
            [t('system.database'), <code key="db">{state.database.version}</code>],
            [t('system.size'), bytes(state.database.size_bytes, i18n.language)],
            ...schemas.map((s): [string, string] => [t('system.schema', { source: s.source }), String(s.version)]),
          ]}
        />
      </Panel>
      <Panel title={t('system.checksTitle')}>
        <Checks checks={state.checks ?? []} />
      </Panel>
      <Panel title={t('system.replicas')}>
        <Replicas replicas={state.replicas ?? []} />
      </Panel>
      <Panel title={t('system.queues')} hint={t('system.queuesHint')}>
        <Queues queues={state.queues ?? []} onPick={onPick} />
      </Panel>
    </div>
  );
}

const views = ['overview', 'jobs', 'database'] as const;

/** System is the program itself: its processes, background jobs and database. */
export default function System() {
  const { t } = useTranslation();
  const may = useCan('admin');
  const query = useQuery({ ...systemQuery, enabled: may });
  const [filter, , setSome] = useFilter(['view', 'queue', 'state']);
  const view = oneOf(filter.view, views) ?? 'overview';
  if (!may) return <NeedsRole title={t('system.title')} needs="admin" />;
  return (
    <>
      <PageHead title={t('system.title')} />
      <QueryView query={query} rows={8}>
        {(state) => (
          <Tabs
            label={t('system.title')}
            value={view}
            onChange={(key) => setSome({ view: key === 'overview' ? '' : key, queue: '', state: '' })}
            tabs={[
              {
                key: 'overview',
                title: t('system.overview'),
                count: (state.checks ?? []).filter((c) => !c.ok).length,
                render: () => (
                  <Overview
                    state={state}
                    onPick={(queue, jobState) => setSome({ view: 'jobs', queue, state: jobState })}
                  />
                ),
              },
              { key: 'jobs', title: t('system.jobs'), render: () => <Jobs queues={state.queues ?? []} /> },
              { key: 'database', title: t('system.database'), render: () => <Database database={state.database} /> },
            ]}
          />
        )}
      </QueryView>
    </>
  );
}
