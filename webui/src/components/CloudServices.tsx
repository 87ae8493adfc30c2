import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { cloudServicesQuery, cloudVersionsQuery } from '../api/admin';
import { api, call } from '../api/client';
import type { CloudEnv, CloudService, CloudVersion } from '../api/types';
import { percents, takesCalls } from '../logic/cloudenvs';
import { Button } from './Button';
import { NotConfirmed } from './CloudParts';
import { useConfirm } from './Confirm';
import { type Column, DataTable } from './DataList';
import { FieldError } from './FieldError';
import { Panel } from './PageHead';
import { EmptyNote, QueryView } from './QueryView';
import { useCan } from './session';
import { toast } from './toast';

interface Props {
  env: CloudEnv;
  service: CloudService;
  versions: CloudVersion[];
}

/** Versions are those of a service, with what goes to each; in 云开发 any part of the calls, in 微信云托管 all or none. */
function Versions({ env, service, versions }: Props) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  const [typed, setTyped] = useState<Record<string, string>>({});
  const path = { env: env.env, service: service.name };
  const key = cloudVersionsQuery(env.env, service.name).queryKey;
  const divides = may && env.kind === 'cloudbase' && versions.some(takesCalls);
  const { percent, sum } = percents(versions, typed);
  const changed = versions.some((v) => (percent[v.name] ?? 0) !== v.percent);

  function divide(event: FormEvent) {
    event.preventDefault();
    const shares = versions.filter((v) => (percent[v.name] ?? 0) > 0).map((v) => `${v.name} ${percent[v.name]}%`);
    confirm({
      title: t('cloud.divideConfirm', { service: service.name }),
      hint: t('cloud.divideHint', { shares: shares.join(', ') }),
      ok: t('cloud.divide'),
      run: async () => {
        const done = await call(
          api.PUT('/cloud-envs/{env}/services/{service}/traffic', { params: { path }, body: { percent } }),
        );
        client.setQueryData(key, done);
        setTyped({});
        toast.success(t('common.saved'));
      },
    });
  }

  function release(version: string) {
    confirm({
      title: t('cloud.releaseConfirm', { service: service.name, version }),
      hint: t('cloud.releaseHint'),
      ok: t('cloud.release'),
      run: async () => {
        await call(api.POST('/cloud-envs/{env}/services/{service}/release', { params: { path }, body: { version } }));
        await client.invalidateQueries({ queryKey: key });
        toast.success(t('cloud.releaseBegun'));
      },
    });
  }

  const columns: Column<CloudVersion>[] = [
    { key: 'name', title: t('cloud.version'), card: 'head', render: (v) => <code>{v.name}</code> },
    { key: 'status', title: t('common.state'), card: 'corner', render: (v) => v.status },
    {
      key: 'percent',
      title: t('cloud.traffic'),
      render: (v) =>
        divides && takesCalls(v) ? (
          <span className="percent">
            <input
              className="input"
              type="number"
              inputMode="numeric"
              min={0}
              max={100}
              aria-label={t('cloud.trafficOf', { version: v.name })}
              value={typed[v.name] ?? String(v.percent)}
              onChange={(e) => setTyped({ ...typed, [v.name]: e.target.value })}
              data-testid={`percent-${v.name}`}
            />
            %
          </span>
        ) : (
          <span data-testid={`percent-${v.name}`}>{v.percent}%</span>
        ),
    },
    {
      key: 'replicas',
      title: t('cloud.replicas'),
      render: (v) => `${v.min_replicas}–${v.max_replicas}`,
    },
    { key: 'at', title: t('common.createdAt'), render: (v) => v.created_at },
    {
      key: 'do',
      title: '',
      card: 'foot',
      align: 'end',
      render: (v) =>
        may &&
        env.kind === 'cloudrun' &&
        v.percent < 100 &&
        takesCalls(v) && (
          <Button variant="text" onClick={() => release(v.name)} data-testid={`release-${v.name}`}>
            {t('cloud.release')}
          </Button>
        ),
    },
  ];
  if (versions.length === 0) return <EmptyNote title={t('cloud.noVersions')} />;
  return (
    <form onSubmit={divide}>
      <DataTable
        columns={columns}
        rows={versions}
        rowKey={(v) => v.name}
        testId="version"
        label={t('cloud.versionsOf', { service: service.name })}
      />
      {divides && (
        <div className="toolbar">
          <Button
            type="submit"
            variant="outline"
            disabled={!changed || sum !== 100}
            data-testid={`divide-${service.name}`}
          >
            {t('cloud.divide')}
          </Button>
          {sum !== 100 && (
            <span data-testid="percent-sum">
              <FieldError text={t('cloud.sum', { sum })} />
            </span>
          )}
        </div>
      )}
    </form>
  );
}

function Service({ env, service }: { env: CloudEnv; service: CloudService }) {
  const query = useQuery(cloudVersionsQuery(env.env, service.name));
  return (
    <Panel title={service.name} hint={service.image_repo} testId={`service-${service.name}`}>
      <QueryView query={query} rows={3}>
        {(list) => <Versions env={env} service={service} versions={list.items ?? []} />}
      </QueryView>
    </Panel>
  );
}

/** CloudServices are the services of an environment, their versions, and which of them the calls go to. */
export function CloudServices({ env }: { env: CloudEnv }) {
  const { t } = useTranslation();
  const query = useQuery(cloudServicesQuery(env.env));
  return (
    <section data-testid="cloud-services">
      <div className="toolbar">
        <h2>{t('cloud.services')}</h2>
        {env.kind === 'cloudrun' && <NotConfirmed />}
      </div>
      {env.kind === 'cloudrun' && <p className="muted">{t('cloud.servicesUnknown')}</p>}
      <QueryView query={query} rows={4}>
        {({ items }) =>
          items?.length ? (
            <div className="stack">
              {items.map((service) => (
                <Service key={service.name} env={env} service={service} />
              ))}
            </div>
          ) : (
            <div className="panel">
              <EmptyNote title={t('cloud.noServices')} hint={t('cloud.noServicesHint')} />
            </div>
          )
        }
      </QueryView>
    </section>
  );
}
