import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate } from 'react-router-dom';
import { Input } from 'tdesign-react';
import { adminKeys, cloudEnvsQuery } from '../api/admin';
import { api, call, newIdempotencyKey } from '../api/client';
import { asProblem, fieldErrors, type Problem } from '../api/problem';
import type { CloudEnv, CloudEnvs as Envs } from '../api/types';
import { Button } from '../components/Button';
import { SeenInUse, ShareTag } from '../components/CloudParts';
import { type Column, DataTable } from '../components/DataList';
import { Field } from '../components/Field';
import { PageHead } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { EmptyNote, QueryView } from '../components/QueryView';
import { Refusal } from '../components/Refusal';
import { Segmented } from '../components/Segmented';
import { SidePanel } from '../components/SidePanel';
import { useCan } from '../components/session';
import { toast } from '../components/toast';
import { aliasFits, type CloudKind, cloudKinds, seen, shareStates, words } from '../logic/cloudenvs';

function CreateForm({ evidence, onCreated }: { evidence?: Envs['evidence']; onCreated: (env: CloudEnv) => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [kind, setKind] = useState<CloudKind>('cloudbase');
  const [alias, setAlias] = useState('');
  const [vpc, setVpc] = useState('');
  const [subnets, setSubnets] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [key, setKey] = useState(newIdempotencyKey);
  const byField = problem ? fieldErrors(problem, ['kind', 'alias', 'vpc_id', 'subnet_ids']) : {};
  const run = kind === 'cloudrun';

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (busy || !aliasFits(alias)) return;
    setBusy(true);
    setProblem(null);
    try {
      const body = {
        kind,
        alias,
        ...(run && vpc.trim() !== '' && { vpc_id: vpc.trim() }),
        ...(run && words(subnets).length > 0 && { subnet_ids: words(subnets) }),
      };
      const made = await call(api.POST('/cloud-envs', { body, params: { header: { 'Idempotency-Key': key } } }));
      toast.success(t('cloud.created', { env: made.env }));
      await client.invalidateQueries({ queryKey: adminKeys.cloudEnvs });
      onCreated(made);
    } catch (thrown) {
      const p = asProblem(thrown);
      setProblem(p);
      if (p.status !== 0) setKey(newIdempotencyKey());
    } finally {
      setBusy(false);
    }
  }

  return (
    <form className="form" onSubmit={(e) => void submit(e)} data-testid="env-form">
      <Field name="env-kind" group label={t('cloud.kind')} error={byField.kind}>
        <Segmented
          name="env-kind"
          label={t('cloud.kind')}
          value={kind}
          onChange={setKind}
          options={cloudKinds.map((value) => ({ value, label: t(`cloud.kinds.${value}`) }))}
        />
      </Field>
      {seen(evidence, 'create', kind) && (
        <p className="inline">
          <SeenInUse /> <span className="muted">{t('cloud.seenHint')}</span>
        </p>
      )}
      <Field
        name="env-alias"
        label={t('cloud.alias')}
        hint={t('cloud.aliasHint')}
        error={alias !== '' && !aliasFits(alias) ? t('cloud.aliasWrong') : byField.alias}
      >
        <Input value={alias} onChange={setAlias} placeholder="" autocomplete="off" autofocus />
      </Field>
      {run && (
        <>
          <Field name="env-vpc" label={t('cloud.vpc')} hint={t('cloud.vpcHint')} error={byField.vpc_id}>
            <Input value={vpc} onChange={setVpc} placeholder="vpc-…" />
          </Field>
          <Field name="env-subnets" label={t('cloud.subnets')} hint={t('cloud.subnetsHint')} error={byField.subnet_ids}>
            <Input value={subnets} onChange={setSubnets} placeholder="subnet-…" />
          </Field>
        </>
      )}
      {problem && problem.errors.length === 0 && <ProblemPanel error={problem} />}
      <div>
        <Button type="submit" loading={busy} disabled={!aliasFits(alias)} data-testid="create-env">
          {t('cloud.create')}
        </Button>
      </div>
    </form>
  );
}

function Counts({ shares }: { shares: Record<string, unknown> }) {
  const there = shareStates.filter((state) => Number(shares[state]) > 0);
  if (there.length === 0) return <span className="none">—</span>;
  return (
    <span className="tagcounts">
      {there.map((state) => (
        <span key={state}>
          <ShareTag state={state} /> {String(shares[state])}
        </span>
      ))}
    </span>
  );
}

/** CloudEnvs are the platform's cloud environments, as WeChat lists them. */
export default function CloudEnvs() {
  const { t } = useTranslation();
  const may = useCan('operator');
  const navigate = useNavigate();
  const query = useQuery(cloudEnvsQuery);
  const [creating, setCreating] = useState(false);
  const columns: Column<CloudEnv>[] = [
    {
      key: 'env',
      title: t('cloud.env'),
      card: 'head',
      render: (e) => (
        <Link to={`/cloud-envs/${encodeURIComponent(e.env)}`} className="named" data-testid={`open-env-${e.alias}`}>
          <b>{e.alias || e.env}</b>
          <code>{e.env}</code>
        </Link>
      ),
    },
    {
      key: 'kind',
      title: t('cloud.kind'),
      render: (e) => (
        <span className="inline">
          {t(`cloud.kinds.${e.kind}`)} {e.evidence === 'code' && <SeenInUse />}
        </span>
      ),
    },
    {
      key: 'status',
      title: t('common.state'),
      card: 'corner',
      render: (e) => e.status || <span className="none">—</span>,
    },
    { key: 'region', title: t('cloud.region'), render: (e) => e.region || <span className="none">—</span> },
    { key: 'shares', title: t('cloud.shares'), render: (e) => <Counts shares={e.shares as Record<string, unknown>} /> },
  ];
  return (
    <>
      <PageHead title={t('cloud.title')}>
        <Button
          variant="outline"
          theme="default"
          loading={query.isFetching}
          onClick={() => void query.refetch()}
          data-testid="refresh"
        >
          {t('common.refresh')}
        </Button>
        {may && (
          <Button onClick={() => setCreating(true)} data-testid="new-env">
            {t('cloud.create')}
          </Button>
        )}
      </PageHead>
      <p className="muted lead">{t('cloud.intro')}</p>
      <QueryView query={query} rows={5}>
        {(found) => (
          <>
            {(found.refused ?? []).map((r) => (
              <div key={r.kind} className="problem" role="alert" data-testid={`env-refused-${r.kind}`}>
                <div className="problem__text">
                  <strong>{t('cloud.refused', { kind: t(`cloud.kinds.${r.kind}`) })}</strong>
                  {r.error && <Refusal refusal={r.error} />}
                </div>
              </div>
            ))}
            <div className="panel panel--flush">
              {(found.items ?? []).length === 0 ? (
                <EmptyNote title={t('cloud.empty')} hint={t('cloud.emptyHint')} />
              ) : (
                <DataTable
                  rows={found.items ?? []}
                  columns={columns}
                  rowKey={(e) => e.env}
                  testId="env"
                  label={t('cloud.title')}
                />
              )}
            </div>
          </>
        )}
      </QueryView>
      <SidePanel testId="env-new" title={t('cloud.create')} open={creating} onClose={() => setCreating(false)}>
        <CreateForm
          evidence={query.data?.evidence}
          onCreated={(made) => {
            setCreating(false);
            void navigate(`/cloud-envs/${encodeURIComponent(made.env)}`);
          }}
        />
      </SidePanel>
    </>
  );
}
