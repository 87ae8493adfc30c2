import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { preflightItemsQuery, preflightQuery } from '../../api/planning';
import { keys } from '../../api/queries';
import type { Preflight, PreflightItem } from '../../api/types';
import { type Column, DataList, itemsOf } from '../../components/DataList';
import { Merchant } from '../../components/Face';
import { ProblemPanel } from '../../components/ProblemPanel';
import { Progress } from '../../components/Progress';
import { EmptyNote, Loading } from '../../components/QueryView';
import { Segmented } from '../../components/Segmented';
import { ToneTag } from '../../components/StateTag';
import { Time } from '../../components/Time';
import { Blockers } from './Blockers';
import { Remedies } from './Remedies';

const known = [
  'unauthorized',
  'not_miniprogram',
  'scope_missing',
  'not_initialised',
  'category_missing',
  'icp_missing',
  'audit_running',
  'visit_closed',
  'privacy_missing',
  'domain_not_on_platform',
  'ext_json_invalid',
  'template_gone',
  'quota_exhausted',
  'media_gone',
  'wechat_unavailable',
] as const;

function Codes({ codes }: { codes: Record<string, number> }) {
  const { t } = useTranslation();
  const rows = Object.entries(codes).sort((a, b) => b[1] - a[1]);
  const name = (code: string) => {
    const one = known.find((k) => k === code);
    return one ? t(`wizard.code.${one}`) : code;
  };
  if (rows.length === 0) return null;
  return (
    <ul className="pills" aria-label={t('wizard.codes')} data-testid="preflight-codes">
      {rows.map(([code, n]) => (
        <li key={code} className="pill pill--bad" data-testid={`code-${code}`}>
          {name(code)} <b>{n}</b>
        </li>
      ))}
    </ul>
  );
}

function Quota({ run }: { run: Preflight }) {
  const { t } = useTranslation();
  if (!run.quota) return run.state === 'done' ? <p className="faint">{t('wizard.quotaUnknown')}</p> : null;
  const { rest, limit } = run.quota;
  const over = run.ready - rest;
  return (
    <p className={over > 0 ? 'banner' : 'muted'} data-testid="preflight-quota">
      {t('wizard.quota', { rest, limit })} {over > 0 && t('wizard.quotaShort', { ready: run.ready, over })}
    </p>
  );
}

function Item({ item }: { item: PreflightItem }) {
  const { t } = useTranslation();
  if (item.blockers === null) return <span className="faint">{t('wizard.itemOpen')}</span>;
  if (item.blockers.length === 0) return <ToneTag tone="good" text={t('wizard.itemReady')} testId="ready-tag" />;
  return (
    <div>
      <Blockers blockers={item.blockers} />
    </div>
  );
}

function Items({ id }: { id: string }) {
  const { t } = useTranslation();
  const [which, setWhich] = useState<'blocked' | 'all'>('blocked');
  const list = useInfiniteQuery(preflightItemsQuery(id, which === 'blocked'));
  const columns: Column<PreflightItem>[] = [
    {
      key: 'merchant',
      title: t('library.merchant'),
      card: 'head',
      width: '34%',
      render: (item) => (
        <Link
          to={`/authorizers/${item.appid}`}
          target="_blank"
          data-testid={item.blockers?.length === 0 ? 'ready-appid' : 'blocked-appid'}
          data-appid={item.appid}
        >
          <Merchant name={item.nick_name} appid={item.appid} />
        </Link>
      ),
    },
    { key: 'why', title: t('newRollout.blocked'), render: (item) => <Item item={item} /> },
  ];
  return (
    <>
      <Segmented
        name="items"
        label={t('newRollout.blocked')}
        value={which}
        onChange={setWhich}
        options={[
          { value: 'blocked', label: t('wizard.onlyBlocked') },
          { value: 'all', label: t('wizard.allItems') },
        ]}
      />
      <DataList
        query={list}
        columns={columns}
        rowKey={(item) => item.appid}
        testId="item"
        label={t('wizard.checkTitle')}
        empty={<EmptyNote title={t('wizard.itemsEmpty')} />}
      />
    </>
  );
}

interface Props {
  id: string;
  /** stale: the form was changed since. */
  stale: boolean;
  onAgain: () => void;
  onKeys: (keys: string[]) => void;
}

/** PreflightResult follows a check and says who is ready, and of the others what each lacks. */
export function PreflightResult({ id, stale, onAgain, onKeys }: Props) {
  const { t } = useTranslation();
  const query = useQuery(preflightQuery(id));
  const blocked = useInfiniteQuery(preflightItemsQuery(id, true));
  const run = query.data;
  // Also where the events are lost: what is asked for by the clock is the run alone.
  const client = useQueryClient();
  const done = run?.done ?? 0;
  useEffect(() => {
    if (done > 0) void client.invalidateQueries({ queryKey: [...keys.preflight(id), 'items'] });
  }, [client, id, done]);
  if (query.isError && !run) return <ProblemPanel error={query.error} onRetry={() => void query.refetch()} />;
  if (!run) return <Loading rows={4} />;
  const running = run.state === 'running';
  return (
    <div className={stale ? 'preflight faded' : 'preflight'} data-testid="preflight-result" data-state={run.state}>
      {running ? (
        <>
          <Progress label={t('wizard.checkTitle')} done={run.done} total={run.total} testId="preflight-progress" />
          <p className="muted" role="status">
            {t('wizard.checkRunning', { done: run.done, total: run.total })} {t('wizard.checkLeave')}
          </p>
        </>
      ) : (
        <p className="faint" role="status">
          {t('wizard.checkedAt')} <Time value={run.finished_at} />
        </p>
      )}
      <div className="preflight__counts">
        <span className="bignumber bignumber--good" data-testid="preflight-ready">
          <b>{run.ready}</b> {t('newRollout.ready')}
        </span>
        <span className={run.blocked > 0 ? 'bignumber bignumber--bad' : 'bignumber'} data-testid="preflight-blocked">
          <b>{run.blocked}</b> {t('newRollout.blocked')}
        </span>
      </div>
      <Codes codes={run.codes} />
      <Quota run={run} />
      {!running && run.ready === 0 && <p className="muted">{t('newRollout.noneReady')}</p>}
      {run.blocked > 0 && <p className="muted">{t('newRollout.blockedHint')}</p>}
      {!stale && <Remedies items={itemsOf(blocked)} onAgain={onAgain} onKeys={onKeys} />}
      <Items id={id} />
    </div>
  );
}
