import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate } from 'react-router-dom';
import { api, call } from '../api/client';
import { preflightItemsQuery, preflightQuery } from '../api/planning';
import { keys } from '../api/queries';
import type { Preflight, PreflightItem, Rollout } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { type Column, DataList } from '../components/DataList';
import { Merchant } from '../components/Face';
import { ProblemPanel } from '../components/ProblemPanel';
import { Progress } from '../components/Progress';
import { EmptyNote, Loading } from '../components/QueryView';
import { Segmented } from '../components/Segmented';
import { onceOf } from '../logic/preflight';
import { Blockers } from './newrollout/Blockers';

function Way({ item }: { item: PreflightItem }) {
  const { t } = useTranslation();
  if (item.blockers === null) return <span className="faint">{t('wizard.itemOpen')}</span>;
  if (item.rollback) {
    return (
      <span className="muted" data-testid={`rollback-${item.appid}`}>
        {t('board.rollbackFromTo', { from: item.rollback.from, to: item.rollback.to })}
      </span>
    );
  }
  return (
    <div>
      <Blockers blockers={item.blockers} />
    </div>
  );
}

function Items({ run }: { run: Preflight }) {
  const { t } = useTranslation();
  const [chosen, setWhich] = useState<'blocked' | 'all' | null>(null);
  const which = chosen ?? (run.blocked > 0 ? 'blocked' : 'all');
  const list = useInfiniteQuery(preflightItemsQuery(run.id, which === 'blocked'));
  const columns: Column<PreflightItem>[] = [
    {
      key: 'merchant',
      title: t('library.merchant'),
      card: 'head',
      width: '40%',
      render: (item) => <Merchant name={item.nick_name} appid={item.appid} />,
    },
    { key: 'way', title: t('common.details'), render: (item) => <Way item={item} /> },
  ];
  return (
    <>
      <Segmented
        name="rollback-items"
        label={t('board.rollbackTitle')}
        value={which}
        onChange={setWhich}
        options={[
          { value: 'blocked', label: t('board.rollbackOnlyBlocked') },
          { value: 'all', label: t('wizard.allItems') },
        ]}
      />
      <DataList
        query={list}
        columns={columns}
        rowKey={(item) => item.appid}
        testId="rollback-item"
        label={t('board.rollbackTitle')}
        empty={<EmptyNote title={t('wizard.itemsEmpty')} />}
      />
    </>
  );
}

function Result({ id }: { id: string }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const query = useQuery(preflightQuery(id));
  const run = query.data;
  const done = run?.done ?? 0;
  useEffect(() => {
    if (done > 0) void client.invalidateQueries({ queryKey: [...keys.preflight(id), 'items'] });
  }, [client, id, done]);
  if (query.isError && !run) return <ProblemPanel error={query.error} onRetry={() => void query.refetch()} />;
  if (!run) return <Loading rows={4} />;
  return (
    <div className="preflight" data-testid="rollback-preflight" data-state={run.state}>
      {run.state === 'running' && (
        <>
          <Progress label={t('board.rollbackTitle')} done={run.done} total={run.total} testId="rollback-progress" />
          <p className="muted" role="status">
            {t('board.rollbackChecking')} {t('wizard.checkRunning', { done: run.done, total: run.total })}
          </p>
        </>
      )}
      <div className="preflight__counts">
        <span className="bignumber bignumber--good" data-testid="rollback-ready">
          <b>{run.ready}</b> {t('board.rollbackReady')}
        </span>
        <span className={run.blocked > 0 ? 'bignumber bignumber--bad' : 'bignumber'} data-testid="rollback-blocked">
          <b>{run.blocked}</b> {t('board.rollbackBlocked')}
        </span>
      </div>
      <Items run={run} />
    </div>
  );
}

/** RolloutRollback asks who can go back to the version before, and starts the rollout that takes them there. */
export function RolloutRollback({ rollout }: { rollout: Rollout }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const navigate = useNavigate();
  const confirm = useConfirm();
  const params = { path: { id: rollout.id } };
  const check = useMutation({
    mutationFn: () => call(api.POST('/rollouts/{id}/rollback/preflights', { params, body: {} })),
    onSuccess: (made) => client.setQueryData(keys.preflight(made.id), made),
  });
  const id = check.data?.id ?? '';
  const run = useQuery(preflightQuery(id)).data;

  function start(ready: number) {
    confirm({
      title: t('board.rollbackConfirm', { n: ready }),
      hint: t('board.rollbackHint'),
      ok: t('board.rollbackStart', { n: ready }),
      danger: true,
      run: async () => {
        const made = await call(
          api.POST('/rollouts/{id}/rollback', {
            params: { ...params, header: onceOf(id) },
            body: { preflight_id: id },
          }),
        );
        await client.invalidateQueries({ queryKey: keys.rollouts });
        void navigate(`/rollouts/${made.id}`);
      },
    });
  }

  return (
    <div className="stack">
      <p className="muted">{t('board.rollbackIntro')}</p>
      {check.isError && <ProblemPanel error={check.error} onRetry={() => check.mutate()} />}
      <div className="buttons">
        {id === '' && (
          <Button loading={check.isPending} onClick={() => check.mutate()} data-testid="rollback-check">
            {t('board.rollbackCheck')}
          </Button>
        )}
        {run?.state === 'done' &&
          (run.ready > 0 ? (
            <Button theme="danger" onClick={() => start(run.ready)} data-testid="rollback-start">
              {t('board.rollbackStart', { n: run.ready })}
            </Button>
          ) : (
            <p className="muted">{t('board.rollbackNone')}</p>
          ))}
      </div>
      {id !== '' && <Result id={id} />}
    </div>
  );
}
