import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { api, call, newIdempotencyKey } from '../api/client';
import { authorizersQuery, keys } from '../api/queries';
import type { Authorizer, Sync } from '../api/types';
import { Button, ButtonLink } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { type Column, DataList } from '../components/DataList';
import { Merchant } from '../components/Face';
import { PageHead } from '../components/PageHead';
import { EmptyNote } from '../components/QueryView';
import { SearchBox } from '../components/SearchBox';
import { Segmented } from '../components/Segmented';
import { AuthorizerTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { useFilter } from '../components/useFilter';
import { useLabels } from '../components/useLabels';
import { oneOf } from '../logic/oneof';

function Chips({ values, none = '—' }: { values: string[] | null; none?: string }) {
  if (!values || values.length === 0) return <span className="none">{none}</span>;
  return (
    <span className="pills">
      {values.map((v) => (
        <span key={v} className="pill">
          {v}
        </span>
      ))}
    </span>
  );
}

/** SyncButton starts reading all merchants again and follows that until it ends. */
function SyncButton() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const [id, setId] = useState('');
  const sync = useQuery<Sync, Error>({
    queryKey: ['sync', id],
    enabled: id !== '',
    refetchInterval: (q) => (q.state.data && q.state.data.state !== 'running' ? false : 1500),
    queryFn: ({ signal }) => call(api.GET('/authorizers/sync/{id}', { params: { path: { id } }, signal })),
  });
  const running = id !== '' && sync.data?.state !== 'completed' && sync.data?.state !== 'failed' && !sync.isError;
  useEffect(() => {
    if (id === '') return;
    if (sync.isError) {
      toast.problem(sync.error, t('problem.generic'));
      setId('');
    } else if (sync.data && sync.data.state !== 'running') {
      const { done, failed, state } = sync.data;
      const errors = (sync.data.errors ?? []).slice(0, 3).join('; ');
      if (state === 'failed') toast.error(t('authorizers.syncFailed', { errors }));
      else if (failed > 0) toast.error(t('authorizers.syncPartly', { failed, errors }));
      else toast.success(t('authorizers.syncDone', { done }));
      setId('');
      void client.invalidateQueries({ queryKey: keys.authorizers });
    }
  }, [id, sync.data, sync.isError, sync.error, client, t]);
  return (
    <Button
      variant="outline"
      theme="default"
      loading={running}
      data-testid="sync"
      onClick={() =>
        confirm({
          title: t('authorizers.syncConfirm'),
          hint: t('authorizers.syncConfirmHint'),
          ok: t('authorizers.sync'),
          run: async () => {
            const started = await call(
              api.POST('/authorizers/sync', { headers: { 'Idempotency-Key': newIdempotencyKey() } }),
            );
            setId(started.id);
          },
        })
      }
    >
      {running
        ? t('authorizers.syncing', { done: sync.data?.done ?? 0, total: sync.data?.total ?? '…' })
        : t('authorizers.sync')}
    </Button>
  );
}

export default function Authorizers() {
  const { t } = useTranslation();
  const labels = useLabels();
  const may = useCan('operator');
  const [filter, setFilter] = useFilter(['q', 'status', 'kind', 'biz_id', 'label', 'func_scope']);
  const list = useInfiniteQuery(
    authorizersQuery({
      q: filter.q,
      biz_id: filter.biz_id,
      label: filter.label,
      status: oneOf(filter.status, ['authorized', 'unauthorized']),
      kind: oneOf(filter.kind, ['miniprogram', 'official', 'other']),
      func_scope: Number(filter.func_scope) || undefined,
      limit: 50,
    }),
  );
  const search = useCallback((q: string) => setFilter('q', q), [setFilter]);
  const filtered = Object.values(filter).some((v) => v !== '');

  const columns: Column<Authorizer>[] = [
    {
      key: 'name',
      title: t('authorizers.name'),
      card: 'head',
      render: (a) => (
        <Link className="plain" to={`/authorizers/${a.appid}`}>
          <Merchant src={a.head_img} name={a.nick_name || t('authorizers.unnamed')} appid={a.appid} />
        </Link>
      ),
    },
    {
      key: 'status',
      title: t('authorizers.status'),
      card: 'corner',
      render: (a) => <AuthorizerTag status={a.status} stale={a.needs_reauthorization} />,
    },
    { key: 'kind', title: t('authorizers.kind'), render: (a) => labels.kind(a.kind) },
    { key: 'biz', title: t('authorizers.bizIds'), render: (a) => <Chips values={a.biz_ids} /> },
    { key: 'labels', title: t('authorizers.labels'), render: (a) => <Chips values={a.labels} /> },
    { key: 'principal', title: t('authorizers.principal'), card: 'hide', render: (a) => a.principal_name },
    { key: 'at', title: t('authorizers.authorizedAt'), render: (a) => <Time value={a.authorized_at} /> },
  ];

  return (
    <>
      <PageHead title={t('authorizers.title')}>
        {may && <SyncButton />}
        {may && <ButtonLink to="/links?new=1">{t('links.create')}</ButtonLink>}
      </PageHead>
      <div className="toolbar">
        <SearchBox value={filter.q} onSearch={search} placeholder={t('authorizers.searchPlaceholder')} />
        <Segmented
          name="status"
          label={t('authorizers.status')}
          value={filter.status}
          onChange={(v) => setFilter('status', v)}
          options={[
            { value: '', label: t('common.all') },
            { value: 'authorized', label: t('authorizerStatus.authorized') },
            { value: 'unauthorized', label: t('authorizerStatus.unauthorized') },
          ]}
        />
        <Segmented
          name="kind"
          label={t('authorizers.kind')}
          value={filter.kind}
          onChange={(v) => setFilter('kind', v)}
          options={[
            { value: '', label: t('common.all') },
            { value: 'miniprogram', label: t('kind.miniprogram') },
            { value: 'official', label: t('kind.official') },
          ]}
        />
        <div className="toolbar__small">
          {(['biz_id', 'label'] as const).map((name) => {
            const words = name === 'biz_id' ? t('authorizers.bizId') : t('authorizers.label');
            return (
              <input
                key={name}
                className="input"
                type="search"
                value={filter[name]}
                aria-label={words}
                placeholder={words}
                onChange={(e) => setFilter(name, e.target.value)}
              />
            );
          })}
        </div>
      </div>
      <div className="panel panel--flush">
        <DataList
          query={list}
          columns={columns}
          rowKey={(a) => a.appid}
          testId="authorizer"
          label={t('authorizers.title')}
          empty={
            filtered ? (
              <EmptyNote title={t('common.noMatches')} />
            ) : (
              <EmptyNote title={t('authorizers.empty')} hint={t('authorizers.emptyHint')} />
            )
          }
        />
      </div>
    </>
  );
}
