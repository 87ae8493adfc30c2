import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate, useParams } from 'react-router-dom';
import { api, call } from '../api/client';
import { keys, latestDeliveriesQuery, ruleQuery, ruleStatsQuery, rulesOverviewQuery } from '../api/queries';
import type { Delivery, Rule, RuleTest } from '../api/types';
import { Button, ButtonLink } from '../components/Button';
import { Chart } from '../components/Chart';
import { useConfirm } from '../components/Confirm';
import { type Column, DataTable } from '../components/DataList';
import { PageHead, Pairs, Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { EmptyNote, QueryView } from '../components/QueryView';
import { DeliveryStateTag, RuleTag, useMatchWords } from '../components/RuleParts';
import { SecretPanel, VerifyHelp } from '../components/SecretView';
import { Segmented } from '../components/Segmented';
import { SidePanel } from '../components/SidePanel';
import { ToneTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { prettyBody } from '../logic/body';
import { oneOf } from '../logic/oneof';
import { counted, milliseconds, ratesOf, ruleState } from '../logic/rules';
import { fillSteps } from '../logic/series';
import { absolute } from '../logic/time';

const spans = ['6', '24', '168', '720'] as const;
type Span = (typeof spans)[number];

const noCalls = { delivered: 0, failed: 0, dead: 0, avg_ms: 0, max_ms: 0 };

function Figure({ label, value, bad, testId }: { label: string; value: string; bad?: boolean; testId?: string }) {
  return (
    <div className={bad ? 'figure figure--bad' : 'figure'} data-testid={testId}>
      <b>{value}</b>
      <span>{label}</span>
    </div>
  );
}

function Stats({ rule }: { rule: Rule }) {
  const { t, i18n } = useTranslation();
  const [span, setSpan] = useState<Span>('24');
  const query = useQuery(ruleStatsQuery(rule.id, Number(span)));
  const overview = useQuery(rulesOverviewQuery);
  const backlog = overview.data?.items?.find((o) => o.rule_id === rule.id);
  const countedTo = overview.data?.counted_to ?? 0;
  const number = new Intl.NumberFormat(i18n.language);
  const took = (ms: number) => milliseconds(ms, i18n.language);
  return (
    <Panel
      title={t('forward.stats')}
      testId="rule-stats"
      extra={
        <Segmented
          name="span"
          label={t('forward.span')}
          value={span}
          onChange={(v) => setSpan(oneOf(v, spans) ?? '24')}
          options={spans.map((value) => ({ value, label: t(`forward.spans.${value}`) }))}
        />
      }
    >
      <QueryView query={query} rows={6}>
        {(stats) => {
          const items = stats.items ?? [];
          const rates = ratesOf(items);
          const step = stats.step_seconds * 1000;
          const now = Date.now();
          const { times, values } = fillSteps(
            items.map((value) => ({ at: Date.parse(value.at), value })),
            step,
            now - Number(span) * 3_600_000 + step,
            now,
            noCalls,
          );
          const called = (ms: number, v: typeof noCalls) => (v.delivered + v.failed > 0 ? ms : null);
          return (
            <>
              <div className="figures">
                <Figure
                  testId="figure-rate"
                  label={t('forward.successRate')}
                  value={rates.percent === null ? '—' : `${rates.percent}%`}
                  bad={rates.percent !== null && rates.percent < 95}
                />
                <Figure testId="figure-ok" label={t('forward.delivered')} value={number.format(rates.delivered)} />
                <Figure
                  testId="figure-failed"
                  label={t('forward.retried')}
                  value={number.format(rates.failed)}
                  bad={rates.failed > 0}
                />
                {rule.mode === 'deliver' && (
                  <>
                    <Figure
                      testId="figure-pending"
                      label={t('forward.pending')}
                      value={backlog ? counted(backlog.pending, countedTo, i18n.language) : '—'}
                    />
                    <Figure
                      testId="figure-dead"
                      label={t('forward.dead')}
                      value={backlog ? counted(backlog.dead, countedTo, i18n.language) : '—'}
                      bad={Boolean(backlog && backlog.dead > 0)}
                    />
                  </>
                )}
              </div>
              <Chart
                label={t('forward.chartCalls')}
                summary={t('forward.sparkLabel', { ok: rates.delivered, failed: rates.failed })}
                times={times}
                step={step}
                height={200}
                testId="rule-chart"
                empty={<EmptyNote title={t('forward.chartEmpty')} />}
                series={[
                  {
                    key: 'ok',
                    name: t('forward.delivered'),
                    tone: 'good',
                    kind: 'bar',
                    values: values.map((v) => v.delivered),
                  },
                  {
                    key: 'failed',
                    name: t('forward.retried'),
                    tone: 'action',
                    kind: 'bar',
                    values: values.map((v) => v.failed - v.dead),
                  },
                  {
                    key: 'dead',
                    name: t('forward.dead'),
                    tone: 'bad',
                    kind: 'bar',
                    values: values.map((v) => v.dead),
                  },
                ]}
              />
              {rates.calls > 0 && (
                <Chart
                  label={t('forward.chartLatency')}
                  times={times}
                  step={step}
                  height={130}
                  testId="rule-latency"
                  series={[
                    {
                      key: 'avg',
                      name: t('forward.avgName'),
                      tone: 'working',
                      kind: 'line',
                      values: values.map((v) => called(v.avg_ms, v)),
                      format: took,
                      total: took(rates.avgMs ?? 0),
                    },
                    {
                      key: 'max',
                      name: t('forward.maxName'),
                      tone: 'review',
                      kind: 'line',
                      values: values.map((v) => called(v.max_ms, v)),
                      format: took,
                      total: took(rates.maxMs ?? 0),
                    },
                  ]}
                />
              )}
            </>
          );
        }}
      </QueryView>
    </Panel>
  );
}

function Settings({ rule }: { rule: Rule }) {
  const { t, i18n } = useTranslation();
  const words = useMatchWords();
  const [help, setHelp] = useState(false);
  return (
    <Panel title={t('forward.settings')} testId="rule-settings">
      <Pairs
        brief
        items={[
          [t('forward.matches'), words(rule).join(' · ')],
          [t('forward.mode'), t(`forward.modes.${rule.mode}`)],
          [t('forward.format'), rule.format.toUpperCase()],
          [t('forward.timeLimit'), milliseconds(rule.timeout_ms, i18n.language)],
          [t('forward.createdBy'), rule.created_by],
          [t('common.updatedAt'), <Time key="u" value={rule.updated_at} />],
        ]}
      />
      <div>
        <p className="muted">{t('forward.target')}</p>
        <code className="breakable" data-testid="rule-target">
          {rule.target_url}
        </code>
      </div>
      {(rule.appids ?? []).length > 0 && (
        <div>
          <p className="muted">{t('forward.merchants')}</p>
          <span className="pills">
            {(rule.appids ?? []).slice(0, 20).map((appid) => (
              <Link key={appid} className="pill" to={`/authorizers/${appid}`}>
                {appid}
              </Link>
            ))}
            {(rule.appids ?? []).length > 20 && <span className="pill">+{(rule.appids ?? []).length - 20}</span>}
          </span>
        </div>
      )}
      {rule.previous_secret_until && Date.parse(rule.previous_secret_until) > Date.now() && (
        <p className="muted" data-testid="secret-overlap">
          {t('forward.overlap', { time: absolute(Date.parse(rule.previous_secret_until), i18n.language, false) })}
        </p>
      )}
      <button type="button" className="disclosure" aria-expanded={help} onClick={() => setHelp(!help)}>
        {t('forward.verifyShow')}
      </button>
      {help && <VerifyHelp />}
    </Panel>
  );
}

function Latest({ rule }: { rule: Rule }) {
  const { t, i18n } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  const query = useQuery({ ...latestDeliveriesQuery(rule.id), enabled: rule.mode === 'deliver' });
  const overview = useQuery(rulesOverviewQuery);
  const dead = overview.data?.items?.find((o) => o.rule_id === rule.id)?.dead ?? 0;
  const columns: Column<Delivery>[] = [
    {
      key: 'message',
      title: t('forward.message'),
      card: 'head',
      render: (d) => (
        <Link to={`/messages/${d.message_id}`}>{d.message ? d.message.title : <code>#{d.message_id}</code>}</Link>
      ),
    },
    {
      key: 'state',
      title: t('common.state'),
      card: 'corner',
      render: (d) => <DeliveryStateTag state={d.state} />,
    },
    {
      key: 'attempts',
      title: t('forward.attempts'),
      align: 'end',
      render: (d) => (d.attempts ?? []).length,
    },
    {
      key: 'last',
      title: t('forward.lastAnswer'),
      render: (d) => {
        const last = (d.attempts ?? []).at(-1);
        if (!last) return <span className="none">—</span>;
        return (
          <span className="lastanswer">
            {last.status > 0 && <code>{last.status}</code>}{' '}
            <span className="faint">{milliseconds(last.duration_ms, i18n.language)}</span>
            {last.error && <small>{last.error}</small>}
          </span>
        );
      },
    },
    {
      key: 'next',
      title: t('common.createdAt'),
      render: (d) => <Time value={d.created_at} />,
    },
  ];
  return (
    <Panel
      title={t('forward.recent')}
      testId="rule-deliveries"
      extra={
        rule.mode === 'deliver' && (
          <div className="buttons">
            {may && dead > 0 && (
              <Button
                size="small"
                variant="outline"
                data-testid="retry-dead"
                onClick={() =>
                  confirm({
                    title: t('forward.retryDeadConfirm'),
                    hint: t('forward.retryDeadHint'),
                    ok: t('forward.retryDead'),
                    run: async () => {
                      const { retried } = await call(
                        api.POST('/deliveries/retry', { body: { rule_id: rule.id, state: 'dead' } }),
                      );
                      toast.success(t('forward.retriedDead', { n: retried }));
                      await Promise.all([
                        client.invalidateQueries({ queryKey: keys.deliveries }),
                        client.invalidateQueries({ queryKey: keys.rules }),
                      ]);
                    },
                  })
                }
              >
                {t('forward.retryDead')}
              </Button>
            )}
            <Link className="morelink" to={`/deliveries?rule_id=${rule.id}`} data-testid="all-deliveries">
              {t('forward.all')}
            </Link>
          </div>
        )
      }
    >
      {rule.mode === 'relay' ? (
        <EmptyNote title={t('forward.recentRelay')} />
      ) : (
        <QueryView query={query} rows={4}>
          {(page) =>
            (page.items ?? []).length === 0 ? (
              <EmptyNote title={t('forward.recentEmpty')} hint={t('forward.recentEmptyHint')} />
            ) : (
              <DataTable
                columns={columns}
                rows={page.items ?? []}
                rowKey={(d) => d.id}
                testId="rule-delivery"
                label={t('forward.recent')}
              />
            )
          }
        </QueryView>
      )}
    </Panel>
  );
}

function TestCall({ rule }: { rule: Rule }) {
  const { t, i18n } = useTranslation();
  const [busy, setBusy] = useState(false);
  const [result, setResult] = useState<RuleTest | null>(null);
  const [error, setError] = useState<unknown>(null);

  async function run() {
    setBusy(true);
    setError(null);
    try {
      setResult(await call(api.POST('/forward-rules/{id}/test', { params: { path: { id: rule.id } } })));
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }

  return (
    <>
      <p className="muted">{t('forward.testHint')}</p>
      <div>
        <Button loading={busy} onClick={() => void run()} data-testid="send-test" data-first>
          {result ? t('forward.testAgain') : t('forward.testRun')}
        </Button>
      </div>
      {error !== null && <ProblemPanel error={error} />}
      {result && (
        <div className="testresult" aria-live="polite" data-testid="test-result">
          <div className="testresult__head">
            <ToneTag
              tone={result.error ? 'bad' : 'good'}
              text={result.error ? t('forward.testFailed') : t('forward.testOk')}
              testId={result.error ? 'test-failed' : 'test-ok'}
            />
            {result.error && <span className="note--bad">{result.error}</span>}
          </div>
          <Pairs
            items={[
              [t('forward.testStatus'), result.status > 0 ? String(result.status) : t('forward.testNoAnswer')],
              [t('forward.testTook'), milliseconds(result.duration_ms, i18n.language)],
            ]}
          />
          {result.status > 0 && (
            <section>
              <h3>{t('forward.testAnswer')}</h3>
              <pre className="code" data-testid="test-answer">
                {prettyBody(result.response) || t('forward.testAnswerNone')}
              </pre>
            </section>
          )}
          <section>
            <h3>{t('forward.testSent')}</h3>
            <pre className="code" data-testid="test-sent">
              {`POST ${result.request.url}\n${Object.entries(result.request.headers)
                .sort(([a], [b]) => a.localeCompare(b))
                .map(([name, value]) => `${name}: ${value}`)
                .join('\n')}\n\n${prettyBody(result.request.body)}`}
            </pre>
          </section>
        </div>
      )}
    </>
  );
}

function useChange(rule: Rule) {
  const client = useQueryClient();
  return async (body: { enabled: boolean }) => {
    const answer = await call(api.PATCH('/forward-rules/{id}', { params: { path: { id: rule.id } }, body }));
    client.setQueryData(keys.rule(rule.id), answer);
    await client.invalidateQueries({ queryKey: keys.rules });
  };
}

/** Failing tells of a rule that has paused by itself, or is about to. */
function Failing({ rule }: { rule: Rule }) {
  const { t, i18n } = useTranslation();
  const may = useCan('operator');
  const change = useChange(rule);
  const [busy, setBusy] = useState(false);
  const state = ruleState(rule);
  if (state !== 'paused' && state !== 'failing') return null;
  const since = rule.failing_since ? absolute(Date.parse(rule.failing_since), i18n.language, false) : '';

  async function resume() {
    setBusy(true);
    try {
      await change({ enabled: true });
      toast.success(t('forward.resumed'));
    } catch (thrown) {
      toast.problem(thrown, t('problem.generic'));
    } finally {
      setBusy(false);
    }
  }

  return (
    <div className={state === 'paused' ? 'problem' : 'banner'} role="alert" data-testid={`rule-${state}`}>
      <div className="problem__text">
        {state === 'paused' ? (
          <>
            <strong>{t('forward.pausedTitle')}</strong>
            <p>{t('forward.pausedText', { since })}</p>
          </>
        ) : (
          <p>{t('forward.failingText', { since })}</p>
        )}
        {rule.last_error && (
          <p className="muted">
            {t('forward.lastError')}: {rule.last_error}
          </p>
        )}
      </div>
      {state === 'paused' && may && (
        <Button size="small" loading={busy} onClick={() => void resume()} data-testid="resume-rule">
          {t('forward.resume')}
        </Button>
      )}
    </div>
  );
}

function RuleView({ rule }: { rule: Rule }) {
  const { t, i18n } = useTranslation();
  const navigate = useNavigate();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  const overview = useQuery(rulesOverviewQuery);
  const change = useChange(rule);
  const [testing, setTesting] = useState(false);
  const [secret, setSecret] = useState('');
  const state = ruleState(rule);
  const waiting = overview.data?.items?.find((o) => o.rule_id === rule.id)?.pending ?? 0;

  function disable() {
    confirm({
      title: t('forward.disableConfirm'),
      hint: t('forward.disableHint'),
      ok: t('forward.disable'),
      danger: true,
      run: async () => {
        await change({ enabled: false });
        toast.success(t('forward.disabled'));
      },
    });
  }

  function rotate() {
    confirm({
      title: t('forward.rotateConfirm'),
      hint: t('forward.rotateHint'),
      ok: t('forward.rotate'),
      run: async () => {
        const answer = await call(api.POST('/forward-rules/{id}/secret', { params: { path: { id: rule.id } } }));
        const { secret: fresh, ...kept } = answer;
        client.setQueryData(keys.rule(rule.id), kept);
        setSecret(fresh ?? '');
        toast.success(t('forward.rotated'));
      },
    });
  }

  function remove() {
    const n = counted(waiting, overview.data?.counted_to ?? Number.POSITIVE_INFINITY, i18n.language);
    confirm({
      title: t('forward.deleteConfirm', { name: rule.name }),
      hint: waiting > 0 ? t('forward.deleteHint', { n }) : t('forward.deleteHintNone'),
      ok: t('forward.delete'),
      danger: true,
      run: async () => {
        await call(api.DELETE('/forward-rules/{id}', { params: { path: { id: rule.id } } }));
        toast.success(t('forward.deleted'));
        void navigate('/forward-rules', { replace: true });
        client.removeQueries({ queryKey: keys.rule(rule.id) });
        void client.invalidateQueries({ queryKey: keys.rules });
      },
    });
  }

  async function enable() {
    try {
      await change({ enabled: true });
      toast.success(t('forward.enabled'));
    } catch (thrown) {
      toast.problem(thrown, t('problem.generic'));
    }
  }

  return (
    <>
      <PageHead
        title={rule.name}
        back={{ to: '/forward-rules', label: t('forward.title') }}
        aside={<RuleTag rule={rule} />}
      >
        {may && (
          <>
            <Button onClick={() => setTesting(true)} data-testid="test-rule">
              {t('forward.test')}
            </Button>
            <ButtonLink to={`/forward-rules/${rule.id}/edit`} variant="outline" testId="edit-rule">
              {t('forward.edit')}
            </ButtonLink>
            {state === 'off' ? (
              <Button variant="outline" theme="default" onClick={() => void enable()} data-testid="enable-rule">
                {t('forward.enable')}
              </Button>
            ) : (
              <Button variant="outline" theme="default" onClick={disable} data-testid="disable-rule">
                {t('forward.disable')}
              </Button>
            )}
            <Button variant="outline" theme="default" onClick={rotate} data-testid="rotate-secret">
              {t('forward.rotate')}
            </Button>
            <Button variant="outline" theme="danger" onClick={remove} data-testid="delete-rule">
              {t('forward.delete')}
            </Button>
          </>
        )}
      </PageHead>
      <Failing rule={rule} />
      <div className="columns columns--form columns--rule">
        <div className="stack">
          <Stats rule={rule} />
          <Latest rule={rule} />
        </div>
        <Settings rule={rule} />
      </div>
      <SidePanel testId="rule-test" title={t('forward.testTitle')} open={testing} onClose={() => setTesting(false)}>
        <TestCall rule={rule} />
      </SidePanel>
      <SecretPanel testId="rule-secret" secret={secret} onClose={() => setSecret('')} />
    </>
  );
}

export default function ForwardRulePage() {
  const { id = '' } = useParams();
  const query = useQuery(ruleQuery(id));
  return (
    <QueryView query={query} rows={8}>
      {(rule) => <RuleView key={rule.id} rule={rule} />}
    </QueryView>
  );
}
