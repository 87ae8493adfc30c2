import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { InfoCircleIcon } from 'tdesign-icons-react';
import { api, call } from '../api/client';
import { deliveriesQuery } from '../api/messages';
import { componentQuery, keys, messageQuery } from '../api/queries';
import type { MessageDetail as Detail } from '../api/types';
import { BodyView } from '../components/BodyView';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { itemsOf } from '../components/DataList';
import { DeliveryView } from '../components/DeliveryView';
import { MessageTag, typeOf } from '../components/MessageParts';
import { Pairs } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { Loading, QueryView } from '../components/QueryView';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { toast } from '../components/toast';

function useMessageDeeds(m: Detail) {
  const { t } = useTranslation();
  const ask = useConfirm();
  const client = useQueryClient();
  const changed = () => {
    void client.invalidateQueries({ queryKey: keys.messages });
    void client.invalidateQueries({ queryKey: keys.deliveries });
  };
  return {
    handleAgain: () =>
      ask({
        title: t('messages.handleAgainTitle'),
        hint: t('messages.handleAgainHint'),
        ok: t('messages.handleAgain'),
        run: async () => {
          await call(api.POST('/messages/{id}/retry', { params: { path: { id: m.id } } }));
          toast.success(t('messages.handleAgainDone'));
          changed();
        },
      }),
    redeliver: () =>
      ask({
        title: t('messages.redeliverTitle'),
        hint: t('messages.redeliverHint'),
        ok: t('messages.redeliver'),
        run: async () => {
          await call(api.POST('/messages/{id}/redeliver', { params: { path: { id: m.id } } }));
          toast.success(t('messages.redeliverDone'));
          changed();
        },
      }),
  };
}

function Deliveries({ message, onRedeliver }: { message: Detail; onRedeliver: () => void }) {
  const { t } = useTranslation();
  const may = useCan('operator');
  const list = useInfiniteQuery(deliveriesQuery({ message_id: message.id, limit: 50 }));
  const rows = itemsOf(list);
  return (
    <section data-testid="message-deliveries">
      <div className="bodyhead">
        <h3>{t('messages.deliveries')}</h3>
        {may && (
          <Button size="small" variant="outline" theme="default" onClick={onRedeliver} data-testid="redeliver">
            {t('messages.redeliver')}
          </Button>
        )}
      </div>
      {list.isPending && <Loading rows={2} />}
      {list.isError && <ProblemPanel error={list.error} onRetry={() => void list.refetch()} />}
      {list.data && rows.length === 0 && <p className="faint">{t('messages.noDeliveries')}</p>}
      {rows.map((d) => (
        <DeliveryView key={d.id || `of-${d.rule_id}`} delivery={d} />
      ))}
      {list.hasNextPage && (
        <Button variant="outline" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {t('common.loadMore')}
        </Button>
      )}
    </section>
  );
}

function Whole({ m }: { m: Detail }) {
  const { t } = useTranslation();
  const may = useCan('operator');
  const platform = useQuery(componentQuery);
  const deeds = useMessageDeeds(m);
  const about =
    m.appid === '' ? (
      ''
    ) : m.appid === platform.data?.appid ? (
      <>
        {t('messages.platform')} <code className="faint">{m.appid}</code>
      </>
    ) : (
      <Link to={`/authorizers/${m.appid}`} data-testid="message-merchant">
        {m.nick_name || m.appid} {m.nick_name && <code className="faint">{m.appid}</code>}
      </Link>
    );
  return (
    <>
      <div className="messagehead">
        <div>
          <b>{m.title}</b> {typeOf(m) !== m.title && <code className="pushname__raw">{typeOf(m)}</code>}
        </div>
        <MessageTag state={m.state} />
      </div>
      {m.error && (
        <div className="problem" role="alert" data-testid="message-error">
          <div className="problem__text">
            <strong>{m.state === 'failed' ? t('messages.error') : t('messages.errorSoFar')}</strong>
            <p>{m.error}</p>
          </div>
          {may && (
            <Button size="small" variant="outline" onClick={deeds.handleAgain} data-testid="handle-again">
              {t('messages.handleAgain')}
            </Button>
          )}
        </div>
      )}
      <Pairs
        brief
        items={[
          [t('messages.merchant'), about],
          [t('messages.channel'), t(`messages.${m.channel}`)],
          [t('messages.received'), <Time key="r" value={m.received_at} exact />],
          [t('messages.created'), m.created_at && <Time key="c" value={m.created_at} exact />],
          [t('messages.from'), m.from_user && <code>{m.from_user}</code>],
          [t('messages.to'), m.to_user && <code>{m.to_user}</code>],
          [t('messages.msgId'), m.msg_id && <code>{m.msg_id}</code>],
          [t('messages.ownId'), <code key="id">{m.id}</code>],
        ]}
      />
      <BodyView body={m.body} />
      {!may && m.body.includes('***') && (
        <p className="masknote" data-testid="masked">
          <InfoCircleIcon /> {t('messages.masked')}
        </p>
      )}
      <Deliveries message={m} onRedeliver={deeds.redeliver} />
    </>
  );
}

/** MessageDetail is all that is known about one message. */
export function MessageDetail({ id }: { id: string }) {
  const query = useQuery(messageQuery(id));
  return <QueryView query={query}>{(m) => <Whole m={m} />}</QueryView>;
}
