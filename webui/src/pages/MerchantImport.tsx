import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { type DragEvent, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate, useParams } from 'react-router-dom';
import { DownloadIcon, UploadIcon } from 'tdesign-icons-react';
import { importErrorsQuery, importQuery, importsQuery, startImport } from '../api/merchants';
import { keys } from '../api/queries';
import type { Import } from '../api/types';
import { Button, ButtonLink } from '../components/Button';
import { DataList } from '../components/DataList';
import { Field } from '../components/Field';
import { Figure, Figures } from '../components/Figures';
import { PageHead, Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { Progress } from '../components/Progress';
import { EmptyNote, Loading } from '../components/QueryView';
import { Segmented } from '../components/Segmented';
import { ToneTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { confirmable, percent, size, stepOf, template, unfit } from '../logic/importing';

const steps = ['file', 'check', 'result'] as const;
const columns = ['appid', 'biz_id', 'labels', 'ext'] as const;
const modes = ['add', 'replace'] as const;
type Mode = (typeof modes)[number];

/** Held is a file as it was when it was chosen, so that the import has what the trial run had. */
interface Held {
  name: string;
  size: number;
  data: Blob;
}

function Steps({ at }: { at: (typeof steps)[number] }) {
  const { t } = useTranslation();
  return (
    <ol className="wizard" data-testid="import-steps" data-step={at}>
      {steps.map((step, i) => (
        <li
          key={step}
          className={i < steps.indexOf(at) ? 'wizard__past' : undefined}
          aria-current={step === at ? 'step' : undefined}
        >
          <b aria-hidden="true">{i + 1}</b>
          {t(`merchants.imports.steps.${step}`)}
        </li>
      ))}
    </ol>
  );
}

function FileChoice({ held, onHold }: { held: Held | null; onHold: (held: Held | null) => void }) {
  const { t, i18n } = useTranslation();
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [wrong, setWrong] = useState('');

  async function take(file: File | undefined) {
    if (!file) return;
    const why = unfit(file.size);
    if (why) {
      setWrong(t(`merchants.imports.${why}`));
      return;
    }
    try {
      const data = new Blob([await file.arrayBuffer()]);
      setWrong('');
      onHold({ name: file.name, size: file.size, data });
    } catch (thrown) {
      setWrong(t('merchants.imports.unread', { detail: thrown instanceof Error ? thrown.message : '' }));
    }
  }

  function drop(event: DragEvent) {
    event.preventDefault();
    setOver(false);
    void take(event.dataTransfer.files[0]);
  }

  return (
    <Field name="file" group label={t('merchants.imports.file')} error={wrong} hint={t('merchants.imports.limits')}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: dropping is for the mouse; the button inside is for everybody. */}
      <div
        className={over ? 'dropzone dropzone--over' : 'dropzone'}
        onDragOver={(e) => {
          e.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
        data-testid="import-drop"
      >
        <UploadIcon />
        <span className={held ? undefined : 'dropzone__drop'} data-testid="import-chosen">
          {held
            ? t('merchants.imports.chosen', { name: held.name, size: size(held.size, i18n.language) })
            : t('merchants.imports.drop')}
        </span>
        <Button variant="outline" theme="default" onClick={() => input.current?.click()} data-testid="import-choose">
          {held ? t('merchants.imports.change') : t('merchants.imports.choose')}
        </Button>
        <input
          ref={input}
          type="file"
          hidden
          accept=".csv,.txt,.tsv,text/csv,text/plain"
          onChange={(e) => {
            void take(e.target.files?.[0]);
            e.target.value = ''; // the same file may be chosen again after it was mended
          }}
          data-testid="import-input"
        />
      </div>
    </Field>
  );
}

function ColumnHelp() {
  const { t } = useTranslation();
  const address = `data:text/csv;charset=utf-8,${encodeURIComponent(template)}`;
  return (
    <Panel
      title={t('merchants.imports.columns')}
      hint={t('merchants.imports.columnsHint')}
      extra={
        <a className="morelink" href={address} download="merchants.csv" data-testid="import-template">
          {t('merchants.imports.template')}
        </a>
      }
    >
      <dl className="columnhelp">
        {columns.map((name) => (
          <div key={name}>
            <dt>
              <code>{name}</code>
            </dt>
            <dd>{t(`merchants.imports.column.${name}`)}</dd>
          </div>
        ))}
      </dl>
      <p className="muted">{t('merchants.imports.emptyCells')}</p>
    </Panel>
  );
}

function Past() {
  const { t } = useTranslation();
  const query = useQuery(importsQuery);
  const runs = query.data?.items ?? [];
  return (
    <Panel title={t('merchants.imports.history')} testId="import-history">
      {query.isError && <ProblemPanel compact error={query.error} onRetry={() => void query.refetch()} />}
      {query.isPending && <Loading rows={3} />}
      {query.data && runs.length === 0 && <p className="faint">{t('merchants.imports.historyEmpty')}</p>}
      {runs.length > 0 && (
        <ul className="runs">
          {runs.map((r) => (
            <li key={r.id}>
              <Link to={`/authorizers/import/${r.id}`}>
                <ToneTag
                  tone={r.state === 'failed' ? 'bad' : r.state === 'running' ? 'working' : r.dry_run ? 'idle' : 'good'}
                  text={r.dry_run ? t('merchants.imports.dryRun') : t('merchants.imports.real')}
                />
                <span className="runs__name">{r.name || t('merchants.imports.unnamed')}</span>
                <span className="runs__end">
                  <Time value={r.created_at} />
                  <span className="faint"> {r.created_by}</span>
                  {r.failed > 0 && (
                    <b className="bad">
                      {' '}
                      · {t('merchants.imports.wrong')} {r.failed}
                    </b>
                  )}
                </span>
              </Link>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Errors({ run }: { run: Import }) {
  const { t } = useTranslation();
  const list = useInfiniteQuery(importErrorsQuery(run.id));
  return (
    <Panel
      title={t('merchants.imports.errors')}
      hint={run.dry_run ? t('merchants.imports.errorsHint') : t('merchants.imports.errorsHintDone')}
      testId="import-errors"
      extra={
        <a
          className="t-button t-button--variant-outline t-button--theme-default"
          href={`/api/v1/authorizers/imports/${encodeURIComponent(run.id)}/failed-rows`}
          download
          data-testid="import-failed-rows"
        >
          <DownloadIcon />
          <span className="t-button__text">{t('merchants.imports.downloadFailed')}</span>
        </a>
      }
    >
      <DataList
        query={list}
        testId="import-error"
        label={t('merchants.imports.errors')}
        rowKey={(e) => String(e.line)}
        columns={[
          { key: 'line', title: t('merchants.imports.line'), width: '72px', render: (e) => <b>{e.line}</b> },
          {
            key: 'appid',
            title: 'AppID',
            width: '220px',
            render: (e) => (e.appid ? <code>{e.appid}</code> : <span className="none">—</span>),
          },
          { key: 'message', title: t('merchants.imports.message'), render: (e) => <span>{e.message}</span> },
        ]}
        empty={<EmptyNote title={t('common.noMatches')} />}
      />
    </Panel>
  );
}

interface RunProps {
  run: Import;
  held: Held | null;
  onHold: (held: Held | null) => void;
  onImport: () => void;
  onCheck: () => void;
  busy: boolean;
  error: unknown;
}

function RunView({ run, held, onHold, onImport, onCheck, busy, error }: RunProps) {
  const { t, i18n } = useTranslation();
  const may = useCan('operator');
  const running = run.state === 'running';
  const next = confirmable(run, held);
  const heading = running
    ? t(run.dry_run ? 'merchants.imports.checking' : 'merchants.imports.running')
    : run.state === 'failed'
      ? t('merchants.imports.failed')
      : run.dry_run
        ? t('merchants.imports.steps.check')
        : t('merchants.imports.done');
  return (
    <>
      <Panel
        title={heading}
        testId="import-run"
        hint={
          <>
            {run.name || t('merchants.imports.unnamed')} · {size(run.bytes, i18n.language)} ·{' '}
            <Time value={run.created_at} /> {run.created_by}
          </>
        }
        extra={
          <ToneTag
            tone={run.state === 'failed' ? 'bad' : running ? 'working' : 'good'}
            text={t(`merchants.syncState.${run.state}`)}
            testId={`import-state-${run.state}`}
          />
        }
      >
        {running && (
          <div className="stack">
            <Progress label={heading} done={run.bytes_done} total={run.bytes} testId="import-bar" />
            <p className="muted" role="status" data-testid="import-progress">
              {t('merchants.imports.progress', { rows: run.rows, percent: percent(run) })}
            </p>
          </div>
        )}
        <Figures>
          <Figure
            name={t(run.dry_run ? 'merchants.imports.wouldChange' : 'merchants.imports.changed')}
            value={run.changed}
            tone="good"
            testId="import-changed"
          />
          <Figure name={t('merchants.imports.unchanged')} value={run.unchanged} testId="import-unchanged" />
          <Figure name={t('merchants.imports.wrong')} value={run.failed} tone="bad" testId="import-wrong" />
        </Figures>
        <p className="faint" data-testid="import-facts">
          {t('merchants.imports.rows', { n: run.rows })} ·{' '}
          {t('merchants.imports.encoding', { name: run.encoding.toUpperCase() })} ·{' '}
          {t('merchants.imports.modeWas', { mode: t(`merchants.imports.modes.${run.mode}`) })}
          {(run.ignored_columns ?? []).length > 0 &&
            ` · ${t('merchants.imports.ignored', { names: (run.ignored_columns ?? []).join(', ') })}`}
        </p>
        {run.state === 'failed' && <p className="banner">{t('merchants.imports.failedHint')}</p>}
        {next === 'nothing' && (
          <EmptyNote title={t('merchants.imports.nothing')} hint={t('merchants.imports.nothingHint')} />
        )}
        {may && (next === 'again' || next === 'other') && (
          <>
            <p className="banner">
              {next === 'again' ? t('merchants.imports.again') : t('merchants.imports.otherFile', { name: run.name })}
            </p>
            <FileChoice held={held} onHold={onHold} />
          </>
        )}
        {error !== null && <ProblemPanel compact error={error} />}
        <div className="buttons">
          {may && next === 'ready' && (
            <Button loading={busy} onClick={onImport} data-testid="import-confirm">
              {t('merchants.imports.confirm', { n: run.changed })}
            </Button>
          )}
          {may && next === 'other' && (
            <Button loading={busy} onClick={onCheck} data-testid="import-check">
              {t('merchants.imports.check')}
            </Button>
          )}
          {!running && (
            <ButtonLink to="/authorizers/import" variant="outline" testId="import-another">
              {run.dry_run ? t('merchants.imports.change') : t('merchants.imports.another')}
            </ButtonLink>
          )}
          {!running && !run.dry_run && (
            <ButtonLink to="/authorizers" variant="outline">
              {t('authorizers.title')}
            </ButtonLink>
          )}
        </div>
      </Panel>
      {run.failed > 0 && !running && <Errors run={run} />}
    </>
  );
}

export default function MerchantImport() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const client = useQueryClient();
  const may = useCan('operator');
  const { id = '' } = useParams();
  const query = useQuery({ ...importQuery(id), enabled: id !== '' });
  const run = id === '' ? undefined : query.data;
  const [held, setHeld] = useState<Held | null>(null);
  const [mode, setMode] = useState<Mode>('add');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  // What went wrong belongs to the step it happened in.
  useEffect(() => setError(null), [id]);
  const over = run?.state !== undefined && run.state !== 'running' && !run.dry_run;
  useEffect(() => {
    if (over) void client.invalidateQueries({ queryKey: keys.authorizers });
  }, [over, client]);

  async function send(dryRun: boolean, how: Mode) {
    if (!held) return;
    setBusy(true);
    setError(null);
    try {
      const begun = await startImport(held.data, { name: held.name, dryRun, mode: how });
      await client.invalidateQueries({ queryKey: [...keys.imports, 'list'] });
      void navigate(`/authorizers/import/${begun.id}`);
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }

  return (
    <>
      <PageHead title={t('merchants.imports.title')} back={{ to: '/authorizers', label: t('authorizers.title') }} />
      <Steps at={stepOf(run)} />
      {id !== '' && query.isPending && <Loading rows={6} />}
      {id !== '' && query.isError && !run && <ProblemPanel error={query.error} onRetry={() => void query.refetch()} />}
      {run && (
        <RunView
          run={run}
          held={held}
          onHold={setHeld}
          onImport={() => void send(false, run.mode)}
          onCheck={() => void send(true, run.mode)}
          busy={busy}
          error={error}
        />
      )}
      {id === '' && (
        <div className="columns columns--form">
          <div className="stack">
            {may ? (
              <Panel>
                <p className="muted">{t('merchants.imports.intro')}</p>
                <div className="form">
                  <FileChoice held={held} onHold={setHeld} />
                  <Field
                    name="mode"
                    group
                    label={t('merchants.imports.mode')}
                    hint={t(`merchants.imports.modeHint.${mode}`)}
                  >
                    <Segmented
                      name="mode"
                      label={t('merchants.imports.mode')}
                      value={mode}
                      onChange={setMode}
                      options={modes.map((m) => ({ value: m, label: t(`merchants.imports.modes.${m}`) }))}
                    />
                  </Field>
                  {error !== null && <ProblemPanel compact error={error} />}
                  <div>
                    <Button
                      loading={busy}
                      disabled={!held}
                      onClick={() => void send(true, mode)}
                      data-testid="import-check"
                    >
                      {t('merchants.imports.check')}
                    </Button>
                  </div>
                </div>
              </Panel>
            ) : (
              <p className="banner">{t('app.readOnly')}</p>
            )}
            <Past />
          </div>
          <div className="stack">
            <ColumnHelp />
          </div>
        </div>
      )}
    </>
  );
}
