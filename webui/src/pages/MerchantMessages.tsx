import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { messagesPage } from '../api/messages';
import { DataTable } from '../components/DataList';
import { DeliveryTally, MessageTag, typeOf } from '../components/MessageParts';
import { Panel } from '../components/PageHead';
import { EmptyNote, QueryView } from '../components/QueryView';
import { Time } from '../components/Time';

const shown = 20;

/** MerchantMessages are the newest pushes about a merchant; all are on the page of messages. */
export function MerchantMessages({ appid }: { appid: string }) {
  const { t } = useTranslation();
  const query = useQuery(messagesPage({ appid }, ''));
  const all = `/messages?appid=${encodeURIComponent(appid)}`;
  return (
    <Panel
      title={t('merchants.messagesRecent')}
      testId="merchant-messages"
      extra={
        <Link className="morelink" to={all} data-testid="all-messages">
          {t('merchants.messagesAll')}
        </Link>
      }
    >
      <QueryView query={query} rows={5}>
        {(page) =>
          (page.items ?? []).length === 0 ? (
            <EmptyNote title={t('merchants.messagesEmpty')} hint={t('merchants.messagesEmptyHint')} />
          ) : (
            <DataTable
              rows={(page.items ?? []).slice(0, shown)}
              rowKey={(m) => m.id}
              testId="message"
              label={t('merchants.messagesRecent')}
              columns={[
                {
                  key: 'type',
                  title: t('messages.type'),
                  card: 'head',
                  render: (m) => (
                    <Link className="messagelink" to={`/messages/${m.id}?appid=${encodeURIComponent(appid)}`}>
                      <b>{m.title}</b>
                      {typeOf(m) !== m.title && <code>{typeOf(m)}</code>}
                    </Link>
                  ),
                },
                {
                  key: 'channel',
                  title: t('messages.channel'),
                  card: 'hide',
                  render: (m) => t(`messages.${m.channel}`),
                },
                {
                  key: 'state',
                  title: t('common.state'),
                  card: 'corner',
                  render: (m) => <MessageTag state={m.state} />,
                },
                {
                  key: 'deliveries',
                  title: t('messages.deliveries'),
                  render: (m) => <DeliveryTally deliveries={m.deliveries} />,
                },
                { key: 'at', title: t('messages.received'), render: (m) => <Time value={m.received_at} /> },
              ]}
            />
          )
        }
      </QueryView>
    </Panel>
  );
}
