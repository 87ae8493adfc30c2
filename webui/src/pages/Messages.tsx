import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useCallback } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate, useParams } from 'react-router-dom';
import { messageQuery, messagesQuery } from '../api/queries';
import type { Message, MessageDetail } from '../api/types';
import { type Column, DataList } from '../components/DataList';
import { PageHead, Pairs } from '../components/PageHead';
import { PushName } from '../components/PushName';
import { EmptyNote, QueryView } from '../components/QueryView';
import { SearchBox } from '../components/SearchBox';
import { Segmented } from '../components/Segmented';
import { SidePanel } from '../components/SidePanel';
import { ToneTag } from '../components/StateTag';
import { Time } from '../components/Time';
import { useFilter } from '../components/useFilter';
import { prettyBody } from '../logic/text';

function typeOf(m: Message | MessageDetail): string {
  return m.info_type || m.event || m.msg_type;
}

function MessageTag({ state }: { state: Message['state'] }) {
  const { t } = useTranslation();
  const tone = state === 'handled' ? 'good' : state === 'failed' ? 'bad' : 'working';
  return <ToneTag tone={tone} text={t(`messages.${state}`)} testId={`message-state-${state}`} />;
}

function Detail({ id }: { id: string }) {
  const { t } = useTranslation();
  const query = useQuery(messageQuery(id));
  return (
    <QueryView query={query}>
      {(m) => (
        <>
          <div className="submissionhead">
            <b>
              <PushName name={typeOf(m)} />
            </b>
            <MessageTag state={m.state} />
          </div>
          {m.error && (
            <div className="problem" role="alert">
              <div className="problem__text">
                <strong>{t('messages.error')}</strong>
                <p>{m.error}</p>
              </div>
            </div>
          )}
          <Pairs
            brief
            items={[
              [t('messages.channel'), t(`messages.${m.channel}`)],
              [t('messages.appid'), m.appid && <code>{m.appid}</code>],
              [t('messages.from'), m.from_user && <code>{m.from_user}</code>],
              [t('messages.to'), m.to_user && <code>{m.to_user}</code>],
              [t('messages.msgId'), m.msg_id && <code>{m.msg_id}</code>],
              [t('messages.created'), <Time key="c" value={m.created_at} exact />],
              [t('messages.received'), <Time key="r" value={m.received_at} exact />],
            ]}
          />
          <section>
            <h3>{t('messages.body')}</h3>
            <pre className="code" data-testid="message-body">
              {prettyBody(m.body)}
            </pre>
          </section>
        </>
      )}
    </QueryView>
  );
}

export default function Messages() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { id } = useParams();
  const [filter, setFilter] = useFilter(['channel', 'q']);
  const list = useInfiniteQuery(messagesQuery(filter));
  const search = useCallback((q: string) => setFilter('q', q), [setFilter]);
  const columns: Column<Message>[] = [
    {
      key: 'type',
      title: t('messages.type'),
      card: 'head',
      render: (m) => (
        <Link to={`/messages/${m.id}${window.location.search}`}>
          <b>
            <PushName name={typeOf(m)} />
          </b>
        </Link>
      ),
    },
    { key: 'channel', title: t('messages.channel'), render: (m) => t(`messages.${m.channel}`) },
    {
      key: 'appid',
      title: t('messages.appid'),
      render: (m) => (m.appid ? <code>{m.appid}</code> : <span className="none">—</span>),
    },
    { key: 'state', title: t('common.state'), card: 'corner', render: (m) => <MessageTag state={m.state} /> },
    { key: 'at', title: t('messages.received'), render: (m) => <Time value={m.received_at} /> },
  ];
  return (
    <>
      <PageHead title={t('messages.title')} />
      <div className="toolbar">
        <SearchBox value={filter.q} onSearch={search} placeholder={t('messages.search')} />
        <Segmented
          name="channel"
          label={t('messages.channel')}
          value={filter.channel}
          onChange={(v) => setFilter('channel', v)}
          options={[
            { value: '', label: t('common.all') },
            { value: 'component', label: t('messages.component') },
            { value: 'biz', label: t('messages.biz') },
          ]}
        />
      </div>
      <div className="panel panel--flush">
        <DataList
          query={list}
          columns={columns}
          rowKey={(m) => m.id}
          testId="message"
          label={t('messages.title')}
          empty={
            filter.channel || filter.q ? (
              <EmptyNote title={t('common.noMatches')} />
            ) : (
              <EmptyNote title={t('messages.empty')} hint={t('messages.emptyHint')} />
            )
          }
        />
      </div>
      <SidePanel
        testId="message-detail"
        title={t('messages.title')}
        open={Boolean(id)}
        onClose={() => void navigate(`/messages${window.location.search}`)}
      >
        {id && <Detail id={id} />}
      </SidePanel>
    </>
  );
}
