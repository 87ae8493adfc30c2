import { useQuery } from '@tanstack/react-query';
import { type RefObject, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate, useParams } from 'react-router-dom';
import { ArrowUpIcon, FilterIcon } from 'tdesign-icons-react';
import type { MessageFilter } from '../api/messages';
import { componentQuery } from '../api/queries';
import type { Message } from '../api/types';
import { Button } from '../components/Button';
import { type Column, DataTable } from '../components/DataList';
import { KindChoice, MerchantChoice, SpanChoice } from '../components/MessageFilters';
import { DeliveryTally, MessageTag, typeOf } from '../components/MessageParts';
import { PageHead } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { EmptyNote, Loading } from '../components/QueryView';
import { SearchBox } from '../components/SearchBox';
import { Segmented } from '../components/Segmented';
import { SidePanel } from '../components/SidePanel';
import { Time } from '../components/Time';
import { useFeed } from '../components/useFeed';
import { useFilter } from '../components/useFilter';
import { oneOf } from '../logic/oneof';
import { spans, validTime } from '../logic/span';
import { absolute } from '../logic/time';
import { MessageDetail } from './MessageDetail';

const filters = [
  'channel',
  'appid',
  'info_type',
  'msg_type',
  'event',
  'state',
  'span',
  'since',
  'until',
  'q',
  'tail',
] as const;
type Filters = Record<(typeof filters)[number], string>;

const states = ['pending', 'failed', 'handled'] as const;

/** A text search looks back a week unless it is told otherwise. */
function spanOf(f: Filters): string {
  if (f.since || f.until || f.span === 'custom') return 'custom';
  if (f.span === 'all') return 'all';
  return oneOf(f.span, spans) ?? (f.q ? '7d' : 'all');
}

function asked(f: Filters): MessageFilter {
  const span = spanOf(f);
  const all: MessageFilter = {
    channel: oneOf(f.channel, ['component', 'biz']),
    appid: f.appid,
    info_type: f.info_type,
    msg_type: f.msg_type,
    event: f.event,
    state: oneOf(f.state, states),
    q: f.q,
    span: oneOf(span, spans),
    since: span === 'custom' ? validTime(f.since) : undefined,
    until: span === 'custom' ? validTime(f.until) : undefined,
  };
  return Object.fromEntries(Object.entries(all).filter(([, v]) => v)) as MessageFilter;
}

/** useAtTop says whether the beginning of an element is in sight. */
function useAtTop(element: RefObject<HTMLElement | null>): boolean {
  const [atTop, setAtTop] = useState(true);
  useEffect(() => {
    const look = () => setAtTop((element.current?.getBoundingClientRect().top ?? 0) >= 0);
    look();
    window.addEventListener('scroll', look, { passive: true });
    window.addEventListener('resize', look);
    return () => {
      window.removeEventListener('scroll', look);
      window.removeEventListener('resize', look);
    };
  }, [element]);
  return atTop;
}

function useColumns(): Column<Message>[] {
  const { t } = useTranslation();
  const platform = useQuery(componentQuery);
  return [
    {
      key: 'type',
      title: t('messages.type'),
      card: 'head',
      render: (m) => (
        <Link className="messagelink" to={`/messages/${m.id}${window.location.search}`} data-testid={`open-${m.id}`}>
          <b>{m.title}</b>
          {typeOf(m) !== m.title && <code>{typeOf(m)}</code>}
        </Link>
      ),
    },
    {
      key: 'merchant',
      title: t('messages.merchant'),
      render: (m) =>
        m.appid === '' ? (
          <span className="none">—</span>
        ) : m.appid === platform.data?.appid ? (
          <span className="muted">{t('messages.platform')}</span>
        ) : (
          <span className="named">
            {m.nick_name && <span>{m.nick_name}</span>}
            <code>{m.appid}</code>
          </span>
        ),
    },
    { key: 'channel', title: t('messages.channel'), card: 'hide', render: (m) => t(`messages.${m.channel}`) },
    { key: 'state', title: t('common.state'), card: 'corner', render: (m) => <MessageTag state={m.state} /> },
    {
      key: 'deliveries',
      title: t('messages.deliveries'),
      render: (m) => <DeliveryTally deliveries={m.deliveries} />,
    },
    { key: 'at', title: t('messages.received'), render: (m) => <Time value={m.received_at} /> },
  ];
}

function Found({ feed }: { feed: ReturnType<typeof useFeed> }) {
  const { t, i18n } = useTranslation();
  if (!feed.feed) return null;
  const back = feed.searchedTo && absolute(Date.parse(feed.searchedTo), i18n.language);
  return (
    <p className="searchnote" role="status" data-testid="search-progress">
      {feed.busy && <i className="spinner" aria-hidden="true" />}
      {back ? t(feed.busy ? 'messages.searching' : 'messages.searchedTo', { time: back }) : t('messages.searchedAll')}
      {' · '}
      {t('messages.found', { n: feed.feed.shown.length })}
    </p>
  );
}

function List({ filter, live, narrowed }: { filter: MessageFilter; live: boolean; narrowed: boolean }) {
  const { t } = useTranslation();
  const top = useRef<HTMLDivElement>(null);
  const atTop = useAtTop(top);
  const feed = useFeed(filter, live && atTop);
  const columns = useColumns();
  const { head, raise } = feed;
  const rows = feed.feed?.shown ?? [];
  const waiting = feed.feed?.waiting.length ?? 0;
  const searching = Boolean(filter.q);
  const risen = feed.feed?.risen;

  function show() {
    raise();
    if (!atTop) top.current?.scrollIntoView({ block: 'start' });
  }

  return (
    <div className="panel panel--flush panel--feed" ref={top}>
      {waiting > 0 && (
        <div className="newpill" role="status">
          <button type="button" onClick={show} data-testid="new-messages">
            <ArrowUpIcon />
            {t(feed.feed?.apart ? 'messages.newMany' : 'messages.newCount', { n: waiting })}
          </button>
        </div>
      )}
      {!feed.feed && head.isError && <ProblemPanel error={head.error} onRetry={() => void head.refetch()} />}
      {!feed.feed && !head.isError && <Loading rows={8} />}
      {feed.feed && head.isRefetchError && (
        <ProblemPanel stale error={head.error} onRetry={() => void head.refetch()} />
      )}
      {rows.length > 0 && (
        <DataTable
          rows={rows}
          columns={columns}
          rowKey={(m) => m.id}
          rowClass={(m) => (risen?.has(m.id) ? 'risen' : undefined)}
          testId="message"
          label={t('messages.title')}
        />
      )}
      {feed.feed && rows.length === 0 && !feed.busy && !feed.feed.next && (
        <EmptyNote
          title={narrowed ? t('common.noMatches') : t('messages.empty')}
          hint={narrowed ? t('messages.noMatchesHint') : t('messages.emptyHint')}
        />
      )}
      {feed.feed && (rows.length > 0 || searching) && (
        <div className="more">
          {searching ? (
            <Found feed={feed} />
          ) : (
            <span className="faint" data-testid="list-total">
              {t('messages.shown', { n: rows.length })}
            </span>
          )}
          {feed.error !== null && <ProblemPanel compact error={feed.error} onRetry={feed.loadMore} />}
          {feed.feed.next !== '' && !(searching && feed.busy) && (
            <Button variant="outline" loading={feed.busy} onClick={feed.loadMore} data-testid="load-more">
              {searching ? t('messages.goOn') : t('common.loadMore')}
            </Button>
          )}
        </div>
      )}
    </div>
  );
}

export default function Messages() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { id } = useParams();
  const [filter, setFilter, setSome] = useFilter(filters);
  const search = useCallback((q: string) => setFilter('q', q), [setFilter]);
  const [open, setOpen] = useState(false);

  const key = JSON.stringify(asked(filter));
  const query = useMemo(() => JSON.parse(key) as MessageFilter, [key]);
  const narrowed = Object.keys(query).length > 0;
  const more = [
    query.appid,
    query.info_type || query.event || query.msg_type,
    query.state,
    query.span || query.since || query.until,
  ].filter(Boolean).length;
  const still = Boolean(query.q || query.until);
  const live = !still && filter.tail !== 'off';
  const clear = () =>
    setSome({ ...(Object.fromEntries(filters.map((name) => [name, ''])) as Filters), tail: filter.tail });

  return (
    <>
      <PageHead title={t('messages.title')}>
        <label className="livetail" title={still ? t('messages.stillHint') : t('messages.liveHint')}>
          {t('messages.live')}
          <input
            className="switch"
            type="checkbox"
            role="switch"
            checked={live}
            aria-checked={live}
            disabled={still}
            onChange={(e) => setFilter('tail', e.target.checked ? '' : 'off')}
            data-testid="live-tail"
          />
        </label>
      </PageHead>
      <div className="toolbar toolbar--tight">
        <SearchBox value={filter.q} onSearch={search} placeholder={t('messages.search')} />
        <Segmented
          name="channel"
          label={t('messages.channel')}
          value={query.channel ?? ''}
          onChange={(channel) => setSome({ channel, info_type: '', event: '', msg_type: '' })}
          options={[
            { value: '', label: t('common.all') },
            { value: 'component', label: t('messages.component') },
            { value: 'biz', label: t('messages.biz') },
          ]}
        />
        <Button
          className="filterswitch"
          variant="outline"
          theme="default"
          icon={<FilterIcon />}
          aria-expanded={open}
          onClick={() => setOpen(!open)}
          data-testid="more-filters"
        >
          {more > 0 ? t('messages.filtersN', { n: more }) : t('common.filter')}
        </Button>
      </div>
      <div className={open ? 'toolbar filters filters--open' : 'toolbar filters'}>
        <MerchantChoice value={filter.appid} onPick={(appid) => setFilter('appid', appid)} />
        <KindChoice
          value={{ info_type: filter.info_type, event: filter.event, msg_type: filter.msg_type }}
          channel={query.channel ?? ''}
          onPick={setSome}
        />
        <select
          className="input input--select"
          aria-label={t('common.state')}
          value={query.state ?? ''}
          onChange={(e) => setFilter('state', e.target.value)}
          data-testid="filter-state"
        >
          <option value="">{t('messages.anyState')}</option>
          {states.map((state) => (
            <option key={state} value={state}>
              {t(`messages.${state}`)}
            </option>
          ))}
        </select>
        <SpanChoice
          value={{ span: spanOf(filter), since: filter.since, until: filter.until }}
          onPick={({ span, since, until }) => setSome({ span: span === 'all' && !filter.q ? '' : span, since, until })}
        />
        {(narrowed || filter.span !== '') && (
          <button type="button" className="plainbutton" onClick={clear} data-testid="clear-filters">
            {t('messages.clear')}
          </button>
        )}
      </div>
      <List key={key} filter={query} live={live} narrowed={narrowed} />
      <SidePanel
        testId="message-detail"
        title={t('messages.detail')}
        open={Boolean(id)}
        onClose={() => void navigate(`/messages${window.location.search}`, { replace: true })}
      >
        {id && <MessageDetail key={id} id={id} />}
      </SidePanel>
    </>
  );
}
