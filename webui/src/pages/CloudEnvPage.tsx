import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate, useParams } from 'react-router-dom';
import { Checkbox, Input } from 'tdesign-react';
import { adminKeys, cloudEnvsQuery, cloudPushQuery, cloudSharesQuery, cloudTokenQuery } from '../api/admin';
import { api, call, newIdempotencyKey } from '../api/client';
import { asProblem, fieldErrors, type Problem } from '../api/problem';
import type { CloudEnv, CloudPush, CloudShare } from '../api/types';
import { Button } from '../components/Button';
import { SeenInUse, ShareTag } from '../components/CloudParts';
import { CloudServices } from '../components/CloudServices';
import { useConfirm } from '../components/Confirm';
import { CopyLine } from '../components/Copy';
import { type Column, DataList, itemsOf } from '../components/DataList';
import { Field } from '../components/Field';
import { MerchantPicker } from '../components/MerchantPicker';
import { PageHead, Pairs, Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { EmptyNote, Loading, QueryView } from '../components/QueryView';
import { Refusal } from '../components/Refusal';
import { Segmented } from '../components/Segmented';
import { SidePanel } from '../components/SidePanel';
import { useCan } from '../components/session';
import { TextArea } from '../components/TextArea';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { useFilter } from '../components/useFilter';
import { badPath, mayAskAgain, momentOf, pathLines, seen, shareStates } from '../logic/cloudenvs';
import { oneOf } from '../logic/oneof';

type Refused = { appid: string; detail: string };

function ShareForm({ env, onDone }: { env: CloudEnv; onDone: (refused: Refused[]) => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const envs = useQuery(cloudEnvsQuery);
  const [appids, setAppids] = useState<string[]>([]);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [key, setKey] = useState(newIdempotencyKey);

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (busy || appids.length === 0) return;
    setBusy(true);
    setProblem(null);
    try {
      const answer = await call(
        api.POST('/cloud-envs/{env}/shares', {
          params: { path: { env: env.env }, header: { 'Idempotency-Key': key } },
          body: { kind: env.kind, appids },
        }),
      );
      toast.success(t('cloud.offered', { n: answer.items?.length ?? 0 }));
      await client.invalidateQueries({ queryKey: adminKeys.cloudShares });
      onDone(answer.refused ?? []);
    } catch (thrown) {
      const p = asProblem(thrown);
      setProblem(p);
      if (p.status !== 0) setKey(newIdempotencyKey());
    } finally {
      setBusy(false);
    }
  }

  return (
    <form className="form" onSubmit={(e) => void submit(e)} data-testid="share-form">
      <p className="muted">{t('cloud.shareHint')}</p>
      {seen(envs.data?.evidence, 'share', env.kind) && (
        <p className="inline">
          <SeenInUse /> <span className="muted">{t('cloud.shareSeen')}</span>
        </p>
      )}
      <MerchantPicker value={appids} onChange={setAppids} />
      {problem && <ProblemPanel error={problem} />}
      <div>
        <Button type="submit" loading={busy} disabled={appids.length === 0} data-testid="share-env">
          {t('cloud.shareWith', { n: appids.length })}
        </Button>
      </div>
    </form>
  );
}

function PushForm({ appid, env, push }: { appid: string; env: string; push: CloudPush }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  const [enabled, setEnabled] = useState(push.enabled);
  const [path, setPath] = useState(push.path || '/wxcallback/biz');
  const [format, setFormat] = useState(push.format);
  const wrong = enabled && !path.startsWith('/');

  function save(event: FormEvent) {
    event.preventDefault();
    if (wrong) return;
    confirm({
      title: enabled ? t('cloud.pushOnConfirm') : t('cloud.pushOffConfirm'),
      hint: enabled ? t('cloud.pushOnHint') : t('cloud.pushOffHint'),
      ok: t('common.save'),
      danger: enabled,
      run: async () => {
        const body = { enabled, env: enabled ? env : push.env, path, format };
        const saved = await call(api.PUT('/authorizers/{appid}/cloud-push', { params: { path: { appid } }, body }));
        client.setQueryData(cloudPushQuery(appid).queryKey, saved);
        toast.success(t('common.saved'));
      },
    });
  }

  return (
    <form className="form" onSubmit={save} data-testid="push-form">
      <Checkbox checked={enabled} onChange={setEnabled} disabled={!may}>
        {t('cloud.pushOn', { env })}
      </Checkbox>
      {push.enabled && push.env !== env && <p className="note--bad">{t('cloud.pushElsewhere', { env: push.env })}</p>}
      {enabled && (
        <>
          <Field
            name="push-path"
            label={t('cloud.pushPath')}
            hint={t('cloud.pushPathHint')}
            error={wrong ? t('cloud.pathWrong', { path }) : undefined}
          >
            <Input value={path} onChange={setPath} placeholder="/wxcallback/biz" />
          </Field>
          <Field name="push-format" group label={t('cloud.pushFormat')}>
            <Segmented
              name="push-format"
              label={t('cloud.pushFormat')}
              value={format}
              onChange={setFormat}
              options={[
                { value: 'json', label: 'JSON' },
                { value: 'xml', label: 'XML' },
              ]}
            />
          </Field>
        </>
      )}
      {may && (
        <div>
          <Button type="submit" variant="outline" disabled={wrong} data-testid="save-push">
            {t('common.save')}
          </Button>
        </div>
      )}
    </form>
  );
}

function Push({ appid, env }: { appid: string; env: string }) {
  const { t } = useTranslation();
  const query = useQuery(cloudPushQuery(appid));
  return (
    <section data-testid="cloud-push">
      <h3>{t('cloud.push')}</h3>
      <p className="muted">{t('cloud.pushHint')}</p>
      <QueryView query={query} rows={2}>
        {(push) => <PushForm key={JSON.stringify(push)} appid={appid} env={env} push={push} />}
      </QueryView>
    </section>
  );
}

function ShareView({ share }: { share: CloudShare }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const may = useCan('operator');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  async function retry() {
    setBusy(true);
    setError(null);
    try {
      await call(api.POST('/cloud-shares/{id}/retry', { params: { path: { id: Number(share.id) } } }));
      await client.invalidateQueries({ queryKey: adminKeys.cloudShares });
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }

  return (
    <>
      <p className="inline" role="status">
        <ShareTag state={share.state} /> <span className="muted">{t(`cloud.stateHint.${share.state}`)}</span>
      </p>
      {share.state === 'waiting' && (
        <div className="qr">
          <img src={`${share.qr_url}?${share.asked_at}`} alt={t('cloud.qrAlt')} data-testid="share-qr" />
          <b>{t('cloud.scan')}</b>
          <p className="muted">{t('cloud.scanHint')}</p>
          <CopyLine text={share.url} testId="share-url" />
        </div>
      )}
      {share.reason && <p className="note--bad">{share.reason}</p>}
      {share.error && <Refusal refusal={share.error} testId="share-error" />}
      <Pairs
        brief
        items={[
          [
            t('cloud.merchant'),
            <Link key="merchant" to={`/authorizers/${share.appid}`}>
              {share.nick_name || share.appid}
            </Link>,
          ],
          [t('authorizers.principal'), share.principal_name],
          [t('cloud.asked'), share.asked_at && <Time key="asked" value={share.asked_at} exact />],
          [t('cloud.confirmed'), share.confirmed_at && <Time key="confirmed" value={share.confirmed_at} exact />],
          [t('cloud.by'), share.created_by],
        ]}
      />
      {error !== null && <ProblemPanel error={error} />}
      {may && mayAskAgain(share.state) && (
        <div>
          <Button variant="outline" loading={busy} onClick={() => void retry()} data-testid="share-retry">
            {t('cloud.again')}
          </Button>
        </div>
      )}
      {share.state === 'confirmed' && <Push appid={share.appid} env={share.env} />}
    </>
  );
}

function Shares({ env }: { env: CloudEnv }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const navigate = useNavigate();
  const may = useCan('operator');
  const { id = '' } = useParams();
  const [filter, set] = useFilter(['state']);
  const list = useInfiniteQuery(cloudSharesQuery({ env: env.env, state: oneOf(filter.state, shareStates) }));
  const [refused, setRefused] = useState<Refused[]>([]);
  const [busy, setBusy] = useState(false);
  const home = `/cloud-envs/${encodeURIComponent(env.env)}`;
  const open = itemsOf(list).find((s) => s.id === id);
  const close = () => void navigate({ pathname: home, search: window.location.search }, { replace: true });

  async function check() {
    setBusy(true);
    try {
      await call(api.POST('/cloud-shares/check', { body: { env: env.env } }));
      toast.success(t('cloud.asking'));
      await client.invalidateQueries({ queryKey: adminKeys.cloudShares });
    } catch (thrown) {
      toast.problem(thrown, t('problem.generic'));
    } finally {
      setBusy(false);
    }
  }

  const columns: Column<CloudShare>[] = [
    {
      key: 'merchant',
      title: t('cloud.merchant'),
      card: 'head',
      render: (s) => (
        <Link
          className="named"
          to={{ pathname: `${home}/${s.id}`, search: window.location.search }}
          data-testid={`open-share-${s.appid}`}
        >
          <b>{s.nick_name || s.appid}</b>
          <code>{s.appid}</code>
        </Link>
      ),
    },
    { key: 'state', title: t('common.state'), card: 'corner', render: (s) => <ShareTag state={s.state} /> },
    {
      key: 'principal',
      title: t('authorizers.principal'),
      render: (s) => s.principal_name || <span className="none">—</span>,
    },
    { key: 'by', title: t('cloud.by'), render: (s) => s.created_by },
    { key: 'at', title: t('common.createdAt'), render: (s) => <Time value={s.created_at} /> },
  ];

  return (
    <section>
      <div className="toolbar">
        <h2>{t('cloud.shares')}</h2>
        <select
          className="input input--select"
          aria-label={t('common.state')}
          value={filter.state}
          onChange={(e) => set('state', e.target.value)}
          data-testid="filter-share-state"
        >
          <option value="">{t('common.all')}</option>
          {shareStates.map((state) => (
            <option key={state} value={state}>
              {t(`cloud.states.${state}`)}
            </option>
          ))}
        </select>
        {may && (
          <>
            <Button
              variant="outline"
              theme="default"
              loading={busy}
              onClick={() => void check()}
              data-testid="check-shares"
            >
              {t('cloud.check')}
            </Button>
            <Button onClick={() => void navigate(`${home}/share`)} data-testid="new-share">
              {t('cloud.share')}
            </Button>
          </>
        )}
      </div>
      {refused.length > 0 && (
        <div className="problem" role="alert" data-testid="share-refused">
          <div className="problem__text">
            <strong>{t('cloud.notShared', { n: refused.length })}</strong>
            <ul>
              {refused.map((r) => (
                <li key={r.appid}>
                  <code>{r.appid}</code> {r.detail}
                </li>
              ))}
            </ul>
          </div>
          <Button size="small" variant="outline" onClick={() => setRefused([])}>
            {t('common.close')}
          </Button>
        </div>
      )}
      <div className="panel panel--flush">
        <DataList
          query={list}
          columns={columns}
          rowKey={(s) => s.appid}
          testId="share"
          label={t('cloud.shares')}
          empty={
            filter.state ? (
              <EmptyNote title={t('common.noMatches')} />
            ) : (
              <EmptyNote title={t('cloud.noShares')} hint={t('cloud.noSharesHint')} />
            )
          }
        />
      </div>
      <SidePanel testId="share-new" title={t('cloud.share')} open={id === 'share'} onClose={close}>
        <ShareForm
          env={env}
          onDone={(without) => {
            setRefused(without);
            close();
          }}
        />
      </SidePanel>
      <SidePanel
        testId="share-detail"
        title={open ? open.nick_name || open.appid : t('cloud.shares')}
        open={id !== '' && id !== 'share'}
        onClose={close}
      >
        {open ? (
          <ShareView key={open.id} share={open} />
        ) : list.data ? (
          <EmptyNote title={t('common.noMatches')} />
        ) : (
          <Loading rows={4} />
        )}
      </SidePanel>
    </section>
  );
}

function TokenForm({
  env,
  token,
}: {
  env: string;
  token: { open: boolean; version: number; whitelist: string[] | null };
}) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const may = useCan('operator');
  const [open, setOpen] = useState(token.open);
  const [text, setText] = useState((token.whitelist ?? []).join('\n'));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const paths = pathLines(text);
  const bad = badPath(paths);
  const byField = problem ? fieldErrors(problem, ['whitelist', 'open']) : {};

  async function save(event: FormEvent) {
    event.preventDefault();
    if (busy || bad) return;
    setBusy(true);
    setProblem(null);
    try {
      const body = { open, whitelist: paths, version: token.version };
      const saved = await call(api.PUT('/cloud-envs/{env}/token', { params: { path: { env } }, body }));
      client.setQueryData(cloudTokenQuery(env).queryKey, saved);
      toast.success(t('common.saved'));
    } catch (thrown) {
      setProblem(asProblem(thrown));
    } finally {
      setBusy(false);
    }
  }

  return (
    <form className="form" onSubmit={(e) => void save(e)} data-testid="token-form">
      <Checkbox checked={open} onChange={setOpen} disabled={!may}>
        {t('cloud.tokenOpen')}
      </Checkbox>
      <Field
        name="token-paths"
        label={t('cloud.paths')}
        hint={t('cloud.pathsHint')}
        error={bad ? t('cloud.pathWrong', { path: bad }) : byField.whitelist}
        aside={paths.length > 0 ? paths.length : undefined}
      >
        <TextArea code rows={5} value={text} onChange={setText} />
      </Field>
      {problem && problem.errors.length === 0 && (
        <ProblemPanel
          error={problem}
          onRetry={
            problem.status === 409
              ? () => void client.invalidateQueries({ queryKey: cloudTokenQuery(env).queryKey })
              : undefined
          }
        />
      )}
      {may && (
        <div>
          <Button type="submit" variant="outline" loading={busy} disabled={bad !== undefined} data-testid="save-token">
            {t('common.save')}
          </Button>
        </div>
      )}
    </form>
  );
}

function Token({ env }: { env: string }) {
  const { t } = useTranslation();
  const query = useQuery(cloudTokenQuery(env));
  return (
    <Panel title={t('cloud.token')} hint={t('cloud.tokenHint')} testId="cloud-token">
      <QueryView query={query} rows={3}>
        {(token) => <TokenForm key={token.version} env={env} token={token} />}
      </QueryView>
    </Panel>
  );
}

/** CloudEnvPage is one environment: with whom it is shared, and what its services may call. */
export default function CloudEnvPage() {
  const { t } = useTranslation();
  const { env: name = '' } = useParams();
  const query = useQuery(cloudEnvsQuery);
  const env = query.data?.items?.find((e) => e.env === name);
  return (
    <>
      <PageHead title={env?.alias || name} back={{ to: '/cloud-envs', label: t('cloud.title') }}>
        {env?.evidence === 'code' && <SeenInUse />}
      </PageHead>
      <QueryView query={query} rows={6}>
        {() =>
          env ? (
            <div className="stack" key={env.env}>
              <Panel>
                <Pairs
                  brief
                  items={[
                    [t('cloud.env'), <code key="env">{env.env}</code>],
                    [t('cloud.kind'), t(`cloud.kinds.${env.kind}`)],
                    [t('common.state'), env.status],
                    [t('cloud.region'), env.region],
                    [t('cloud.package'), env.package],
                    [t('cloud.payMode'), env.pay_mode],
                    [
                      t('common.createdAt'),
                      env.created_at && <Time key="created" value={momentOf(env.created_at)} exact />,
                    ],
                  ]}
                />
                {env.evidence === 'code' && <p className="muted">{t('cloud.seenHint')}</p>}
              </Panel>
              <CloudServices env={env} />
              <Shares env={env} />
              <Token env={env.env} />
            </div>
          ) : (
            <div className="panel">
              <EmptyNote title={t('cloud.gone')} />
            </div>
          )
        }
      </QueryView>
    </>
  );
}
