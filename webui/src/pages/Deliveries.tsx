import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate, useParams } from 'react-router-dom';
import { CloseIcon } from 'tdesign-icons-react';
import { api, call } from '../api/client';
import { allRulesQuery, deliveriesQuery, deliveryQuery } from '../api/messages';
import { keys, rulesOverviewQuery } from '../api/queries';
import type { Delivery } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { type Column, DataList } from '../components/DataList';
import { AttemptWords, DeliveryView, NextTry, useRetryDelivery, useRule } from '../components/DeliveryView';
import { PageHead, Pairs } from '../components/PageHead';
import { EmptyNote, QueryView } from '../components/QueryView';
import { DeliveryStateTag } from '../components/RuleParts';
import { Segmented } from '../components/Segmented';
import { SidePanel } from '../components/SidePanel';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { useFilter } from '../components/useFilter';
import { progress } from '../logic/delivery';
import { oneOf } from '../logic/oneof';
import { counted } from '../logic/rules';

const states = ['pending', 'delivered', 'dead'] as const;

function MessageCell({ delivery }: { delivery: Delivery }) {
  const { t } = useTranslation();
  const m = delivery.message;
  return (
    <Link className="messagelink" to={`/deliveries/${delivery.id}${window.location.search}`}>
      <b>{m?.title ?? t('deliveries.messageGone')}</b>
      <span className="faint">{m ? m.nick_name || m.appid : delivery.message_id}</span>
    </Link>
  );
}

function RuleCell({ id }: { id: string }) {
  const { t } = useTranslation();
  const rule = useRule(id);
  if (rule === undefined) return <span className="none">…</span>;
  if (rule === null) return t('deliveries.ruleGone', { id });
  return <Link to={`/forward-rules/${id}`}>{rule.name}</Link>;
}

function LastTry({ delivery }: { delivery: Delivery }) {
  const { t } = useTranslation();
  const last = (delivery.attempts ?? []).at(-1);
  if (!last) return <NextTry delivery={delivery} />;
  return (
    <span className="lasttry">
      <span>
        <AttemptWords attempt={last} />{' '}
        <span className="faint">{t('deliveries.tries', { n: (delivery.attempts ?? []).length })}</span>
      </span>
      {last.error && (
        <span className="lasttry__error" title={last.error}>
          {last.error}
        </span>
      )}
      <NextTry delivery={delivery} />
    </span>
  );
}

function Detail({ id }: { id: string }) {
  const { t } = useTranslation();
  const query = useQuery(deliveryQuery(id));
  const rule = useRule(query.data?.rule_id ?? '');
  return (
    <QueryView query={query}>
      {(d) => (
        <>
          <Pairs
            brief
            items={[
              [
                t('deliveries.message'),
                <Link key="m" to={`/messages/${d.message_id}`} data-testid="delivery-message">
                  {d.message?.title ?? d.message_id}
                </Link>,
              ],
              [t('messages.merchant'), d.message && (d.message.nick_name || d.message.appid)],
              [t('deliveries.target'), rule && <code>{rule.target_url}</code>],
              [t('common.createdAt'), <Time key="c" value={d.created_at} exact />],
              [t('deliveries.finished'), d.finished_at && <Time key="f" value={d.finished_at} exact />],
              [t('deliveries.id'), <code key="i">{d.id}</code>],
            ]}
          />
          <DeliveryView delivery={d} />
        </>
      )}
    </QueryView>
  );
}

/** Bulk sends what was given up of one rule again, and shows how far that has come. */
function Bulk({ ruleId }: { ruleId: string }) {
  const { t, i18n } = useTranslation();
  const ask = useConfirm();
  const client = useQueryClient();
  const may = useCan('operator');
  const rule = useRule(ruleId);
  const overview = useQuery(rulesOverviewQuery);
  const [sent, setSent] = useState(0);
  const of = overview.data?.items?.find((o) => o.rule_id === ruleId);
  const to = overview.data?.counted_to ?? 0;
  if (!of || !rule) return null;
  const dead = counted(of.dead, to, i18n.language);

  const retry = () =>
    ask({
      title: t('deliveries.bulkTitle', { n: dead, rule: rule.name }),
      hint: rule.enabled ? t('deliveries.bulkHint') : t('deliveries.bulkHintStopped'),
      ok: t('deliveries.bulkOk'),
      run: async () => {
        const { retried } = await call(api.POST('/deliveries/retry', { body: { rule_id: ruleId, state: 'dead' } }));
        await Promise.all([keys.deliveries, keys.rules].map((queryKey) => client.invalidateQueries({ queryKey })));
        setSent(retried);
      },
    });

  const percent = progress(sent, of.pending);
  return (
    <>
      {sent > 0 && (
        <div className="bulk" role="status" data-testid="bulk-progress">
          <div className="bulk__words">
            <span>
              {t('deliveries.bulkSent', { n: sent })} ·{' '}
              {of.pending > 0
                ? t('deliveries.bulkWaiting', { n: counted(of.pending, to, i18n.language) })
                : t('deliveries.bulkDone')}
              {of.dead > 0 && of.pending === 0 && ` · ${t('deliveries.bulkDead', { n: dead })}`}
            </span>
            <button
              type="button"
              className="combo__clear combo__clear--inline"
              aria-label={t('common.close')}
              onClick={() => setSent(0)}
            >
              <CloseIcon />
            </button>
          </div>
          <div className="bar bar--thin">
            <span className="bar__part tone--good" style={{ flexGrow: percent }} />
            <span className="bar__part bar__part--rest" style={{ flexGrow: 100 - percent }} />
          </div>
        </div>
      )}
      {may && of.dead > 0 && (
        <Button variant="outline" onClick={retry} data-testid="bulk-retry">
          {t('deliveries.bulkRetry', { n: dead })}
        </Button>
      )}
    </>
  );
}

export default function Deliveries() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { id } = useParams();
  const may = useCan('operator');
  const retry = useRetryDelivery();
  const [filter, setFilter] = useFilter(['rule_id', 'state', 'message_id']);
  const number = (text: string) => (/^\d{1,19}$/.test(text) ? text : undefined);
  const query = {
    rule_id: number(filter.rule_id),
    message_id: number(filter.message_id),
    state: oneOf(filter.state, states),
  };
  const list = useInfiniteQuery(deliveriesQuery({ ...query, limit: 50 }));
  const rules = useQuery(allRulesQuery);
  const narrowed = Object.values(query).some(Boolean);
  const columns: Column<Delivery>[] = [
    {
      key: 'message',
      title: t('deliveries.message'),
      card: 'head',
      render: (d) => <MessageCell delivery={d} />,
    },
    { key: 'rule', title: t('deliveries.rule'), render: (d) => <RuleCell id={d.rule_id} /> },
    { key: 'state', title: t('common.state'), card: 'corner', render: (d) => <DeliveryStateTag state={d.state} /> },
    { key: 'last', title: t('deliveries.lastTry'), width: '34%', render: (d) => <LastTry delivery={d} /> },
    { key: 'at', title: t('common.createdAt'), render: (d) => <Time value={d.created_at} /> },
  ];
  if (may) {
    columns.push({
      key: 'deeds',
      title: '',
      card: 'foot',
      align: 'end',
      render: (d) =>
        d.state === 'delivered' ? null : (
          <Button
            size="small"
            variant="outline"
            theme="default"
            onClick={() => retry(d)}
            data-testid={`retry-row-${d.id}`}
          >
            {t('deliveries.retry')}
          </Button>
        ),
    });
  }
  return (
    <>
      <PageHead title={t('deliveries.title')} />
      <div className="toolbar">
        <Segmented
          name="state"
          label={t('common.state')}
          value={query.state ?? ''}
          onChange={(v) => setFilter('state', v)}
          options={[
            { value: '', label: t('common.all') },
            ...states.map((s) => ({ value: s, label: t(`forward.deliveryState.${s}`) })),
          ]}
        />
        <select
          className="input input--select"
          aria-label={t('deliveries.rule')}
          value={query.rule_id ?? ''}
          onChange={(e) => setFilter('rule_id', e.target.value)}
          data-testid="filter-rule"
        >
          <option value="">{t('deliveries.anyRule')}</option>
          {(rules.data ?? []).map((r) => (
            <option key={r.id} value={r.id}>
              {r.name}
            </option>
          ))}
        </select>
        {query.message_id && (
          <span className="pill pill--edit" data-testid="filter-message">
            {t('deliveries.ofMessage', { id: query.message_id })}
            <button type="button" aria-label={t('common.remove')} onClick={() => setFilter('message_id', '')}>
              <CloseIcon />
            </button>
          </span>
        )}
        {query.rule_id && <Bulk key={query.rule_id} ruleId={query.rule_id} />}
      </div>
      <div className="panel panel--flush">
        <DataList
          query={list}
          columns={columns}
          rowKey={(d) => d.id}
          testId="delivery"
          label={t('deliveries.title')}
          empty={
            narrowed ? (
              <EmptyNote title={t('common.noMatches')} />
            ) : (
              <EmptyNote title={t('deliveries.empty')} hint={t('deliveries.emptyHint')} />
            )
          }
        />
      </div>
      <SidePanel
        testId="delivery-detail"
        title={t('deliveries.detail')}
        open={Boolean(id)}
        onClose={() => void navigate(`/deliveries${window.location.search}`, { replace: true })}
      >
        {id && <Detail key={id} id={id} />}
      </SidePanel>
    </>
  );
}
