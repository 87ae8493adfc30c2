import { useInfiniteQuery, useQueries, useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { ChevronRightIcon } from 'tdesign-icons-react';
import { api, call } from '../api/client';
import { allRulesQuery, failedMessagesQuery } from '../api/messages';
import {
  authorizerCountQuery,
  componentQuery,
  keys,
  overviewQuery,
  rolloutsQuery,
  rulesOverviewQuery,
} from '../api/queries';
import type { Component, Rollout } from '../api/types';
import { ButtonLink } from '../components/Button';
import { itemsOf } from '../components/DataList';
import { Merchant } from '../components/Face';
import { PageHead, Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { EmptyNote, Loading, QueryView } from '../components/QueryView';
import { RatePanel } from '../components/RatePanel';
import { StateBar, ToneLegend } from '../components/StateBar';
import { RolloutTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { Tour } from '../components/Tour';
import { Trouble } from '../components/Trouble';
import { useNow } from '../components/useNow';
import { counted } from '../logic/rules';
import { finishedPercent, submissionTone, type Tone } from '../logic/states';
import { ticketTone } from '../logic/ticket';
import { relative } from '../logic/time';

function Stat(props: { label: string; value: ReactNode; note: ReactNode; tone: Tone; to: string; testId: string }) {
  return (
    <Link className={`stat stat--${props.tone}`} to={props.to} data-testid={props.testId}>
      <span className="stat__label">{props.label}</span>
      <span className="stat__value">{props.value}</span>
      <span className="stat__note">{props.note}</span>
    </Link>
  );
}

function useTicketAge({ ticket }: Component): number | null {
  const now = useNow();
  return ticket.present && ticket.received_at ? Math.max(0, now - Date.parse(ticket.received_at)) : null;
}

function Stats({ component }: { component: Component }) {
  const { t, i18n } = useTranslation();
  const authorized = useQuery(authorizerCountQuery({ status: 'authorized' }));
  const known = useQuery(authorizerCountQuery({}));
  const overview = useQuery(overviewQuery);
  const now = useNow();
  const age = useTicketAge(component);
  const paused = overview.data?.rollouts.paused ?? 0;
  const active = (overview.data?.rollouts.running ?? 0) + paused;
  return (
    <div className="stats">
      <Stat
        testId="stat-ticket"
        to="/platform"
        label={t('dashboard.ticket')}
        tone={ticketTone(component.ticket)}
        value={age === null ? t('dashboard.ticketNone') : relative(-age, 0, i18n.language)}
        note={age === null ? '—' : t(`platform.health.${component.ticket.health}`)}
      />
      <Stat
        testId="stat-token"
        to="/platform"
        label={t('dashboard.token')}
        tone={component.access_token.present ? 'good' : 'action'}
        value={component.access_token.present ? t('dashboard.tokenPresent') : t('dashboard.tokenMissing')}
        note={
          component.access_token.expires_at
            ? t('dashboard.tokenUntil', {
                time: relative(Date.parse(component.access_token.expires_at), now, i18n.language),
              })
            : '—'
        }
      />
      <Stat
        testId="stat-merchants"
        to="/authorizers"
        label={t('dashboard.merchants')}
        tone="idle"
        value={authorized.data ?? '…'}
        note={known.data === undefined ? '' : t('dashboard.merchantsOf', { n: known.data })}
      />
      <Stat
        testId="stat-rollouts"
        to="/rollouts"
        label={t('dashboard.activeRollouts')}
        tone={active > 0 ? 'working' : 'idle'}
        value={overview.data ? active : '…'}
        note={paused > 0 ? `${t('rolloutState.paused')} ${paused}` : ''}
      />
    </div>
  );
}

const attentionStates = ['blocked', 'rejected', 'failed', 'trial', 'approved'] as const;
const shownEach = 5;
const shownUnfolded = 100;

interface Notice {
  key: string;
  title: string;
  hint: string;
  to: string;
}

function usePlatformNotices(component?: Component): Notice[] {
  const { t } = useTranslation();
  if (!component) return [];
  const notices: Notice[] = [];
  const missing = (['app_secret', 'message_token', 'encoding_aes_key'] as const).filter(
    (name) => component.credentials[name] === 'missing',
  );
  if (missing.length > 0) {
    notices.push({
      key: 'credentials',
      title: t('dashboard.credentialsMissing', { names: missing.map((n) => t(`platform.${n}`)).join('、') }),
      hint: t('dashboard.credentialsMissingHint'),
      to: '/platform',
    });
  }
  if (!component.ticket.present) {
    notices.push({
      key: 'ticket',
      title: t('dashboard.ticketMissing'),
      hint: t('dashboard.ticketMissingHint'),
      to: '/platform',
    });
  } else if (ticketTone(component.ticket) === 'bad') {
    notices.push({
      key: 'ticket',
      title: t('dashboard.ticketProblem'),
      hint: t('dashboard.ticketProblemHint'),
      to: '/platform',
    });
  }
  return notices;
}

/** countedMessages is up to where failed messages are counted here. */
const countedMessages = 20;

/** useMessageNotices tells of messages that nobody handles or takes any more, and of rules that wait for somebody. */
function useMessageNotices() {
  const { t, i18n } = useTranslation();
  const failed = useQuery(failedMessagesQuery(countedMessages));
  const rules = useQuery(allRulesQuery);
  const overview = useQuery(rulesOverviewQuery);
  const notices: Notice[] = [];
  const failures = failed.data?.items?.length ?? 0;
  if (failures > 0) {
    const n = failed.data?.next_cursor ? `${countedMessages}+` : String(failures);
    notices.push({
      key: 'failed-messages',
      title: t('dashboard.failedMessages', { n }),
      hint: failed.data?.items?.[0]?.error || t('dashboard.failedMessagesHint'),
      to: '/messages?state=failed',
    });
  }
  for (const rule of rules.data ?? []) {
    const name = rule.name;
    if (rule.paused_at) {
      notices.push({
        key: `paused-${rule.id}`,
        title: t('dashboard.rulePaused', { name }),
        hint: rule.pause_reason,
        to: `/forward-rules/${rule.id}`,
      });
    }
    const dead = overview.data?.items?.find((o) => o.rule_id === rule.id)?.dead ?? 0;
    if (dead > 0) {
      notices.push({
        key: `dead-${rule.id}`,
        title: t('dashboard.deadLetters', { name, n: counted(dead, overview.data?.counted_to ?? 0, i18n.language) }),
        hint: t('dashboard.deadLettersHint'),
        to: `/deliveries?rule_id=${rule.id}&state=dead`,
      });
    }
  }
  return { notices, broken: [failed, rules, overview].find((q) => q.isError) };
}

const shownNotices = 6;

function Attention({ component }: { component?: Component }) {
  const { t } = useTranslation();
  const aboutMessages = useMessageNotices();
  const all = [...usePlatformNotices(component), ...aboutMessages.notices];
  const [every, setEvery] = useState(false);
  const notices = every ? all : all.slice(0, shownNotices);
  const [unfolded, setUnfolded] = useState<readonly string[]>([]);
  const groups = useQueries({
    queries: attentionStates.map((state) => {
      const limit = unfolded.includes(state) ? shownUnfolded : shownEach;
      return {
        queryKey: [...keys.submissions, 'list', { state, limit, attention: true }],
        queryFn: ({ signal }: { signal: AbortSignal }) =>
          call(api.GET('/submissions', { params: { query: { state, limit, latest: true } }, signal })),
        placeholderData: <T,>(old: T | undefined) => old,
      };
    }),
  });
  const failed = aboutMessages.broken ?? groups.find((g) => g.isError);
  const loading = groups.some((g) => g.isPending);
  const nothing = notices.length === 0 && groups.every((g) => (g.data?.items ?? []).length === 0);
  return (
    <Panel title={t('dashboard.attention')} testId="attention">
      {failed && <ProblemPanel error={failed.error} onRetry={() => void failed.refetch()} />}
      {loading && <Loading rows={4} />}
      {!loading && !failed && nothing && (
        <EmptyNote title={t('dashboard.attentionNone')} hint={t('dashboard.attentionNoneHint')} />
      )}
      {notices.map((n) => (
        <Link key={n.key} to={n.to} className="notice" data-testid={`notice-${n.key}`}>
          <i className="dot tone--bad" aria-hidden="true" />
          <span>
            <b>{n.title}</b>
            <small>{n.hint}</small>
          </span>
          <ChevronRightIcon />
        </Link>
      ))}
      {all.length > notices.length && (
        <button type="button" className="disclosure" aria-expanded={false} onClick={() => setEvery(true)}>
          {t('dashboard.attentionMore', { n: all.length })}
        </button>
      )}
      {attentionStates.map((state, i) => {
        const items = groups[i]?.data?.items ?? [];
        const total = groups[i]?.data?.total ?? items.length;
        if (items.length === 0) return null;
        return (
          <div key={state} className="group" data-testid={`attention-${state}`}>
            <h3>
              <i className={`dot tone--${submissionTone(state)}`} aria-hidden="true" />
              {t(`dashboard.groups.${state}`)} <b>{total}</b>
            </h3>
            <ul>
              {items.map((s) => (
                <li key={s.id}>
                  <Link to={`/rollouts/${s.rollout_id}/${s.id}`} data-testid={`attention-item-${s.appid}`}>
                    <Merchant name={s.nick_name} appid={s.appid} />
                    <span className="group__note">
                      <Trouble submission={s} otherwise={s.user_version} />
                    </span>
                    <ChevronRightIcon />
                  </Link>
                </li>
              ))}
            </ul>
            {total > items.length && items.length < shownUnfolded && (
              <button
                type="button"
                className="disclosure"
                aria-expanded={false}
                onClick={() => setUnfolded((old) => [...old, state])}
                data-testid={`attention-more-${state}`}
              >
                {t('dashboard.attentionMore', { n: total })}
              </button>
            )}
          </div>
        );
      })}
    </Panel>
  );
}

function RolloutLine({ rollout }: { rollout: Rollout }) {
  const { t } = useTranslation();
  return (
    <Link className="rolloutline" to={`/rollouts/${rollout.id}`}>
      <span className="rolloutline__head">
        <b>{rollout.name}</b>
        <code>{rollout.user_version}</code>
        <RolloutTag state={rollout.state} />
        <span className="faint rolloutline__when">
          <Time value={rollout.created_at} />
        </span>
      </span>
      <StateBar counts={rollout.counts} total={rollout.total} />
      <span className="rolloutline__foot">
        <ToneLegend counts={rollout.counts} total={rollout.total} />
        <span className="faint">
          {t('rollouts.finished', { percent: finishedPercent(rollout.counts, rollout.total) })}
        </span>
      </span>
    </Link>
  );
}

export default function Dashboard() {
  const { t } = useTranslation();
  const component = useQuery(componentQuery);
  const rollouts = useInfiniteQuery(rolloutsQuery({ limit: 6 }));
  const may = useCan('operator');
  const latest = itemsOf(rollouts);
  return (
    <>
      <PageHead
        title={t('dashboard.title')}
        aside={component.data && <code className="faint">{component.data.appid}</code>}
      />
      <Tour />
      <QueryView query={component} rows={2}>
        {(data) => <Stats component={data} />}
      </QueryView>
      <div className="columns">
        <Attention component={component.data} />
        <div className="stack">
          <RatePanel />
          <Panel
            title={t('dashboard.latestRollouts')}
            testId="latest-rollouts"
            extra={
              <Link className="morelink" to="/rollouts">
                {t('common.all')}
              </Link>
            }
          >
            {rollouts.isPending && <Loading rows={4} />}
            {rollouts.isError && <ProblemPanel error={rollouts.error} onRetry={() => void rollouts.refetch()} />}
            {rollouts.data && latest.length === 0 && (
              <EmptyNote
                title={t('dashboard.noRollouts')}
                hint={t('dashboard.noRolloutsHint')}
                action={
                  may && (
                    <ButtonLink to="/rollouts/new" variant="outline">
                      {t('rollouts.create')}
                    </ButtonLink>
                  )
                }
              />
            )}
            {latest.map((r) => (
              <RolloutLine key={r.id} rollout={r} />
            ))}
          </Panel>
        </div>
      </div>
    </>
  );
}
