import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { adminKeys, sessionsQuery } from '../api/admin';
import { api, call } from '../api/client';
import type { RunningSession } from '../api/types';
import { deviceOf } from '../logic/people';
import { Button } from './Button';
import { useConfirm } from './Confirm';
import { type Column, DataList, itemsOf } from './DataList';
import { EmptyNote } from './QueryView';
import { ToneTag } from './StateTag';
import { Time } from './Time';
import { toast } from './toast';

/** Sessions is where a user is signed in; without a user, where one is oneself. */
export function Sessions({ user }: { user?: { id: string; username: string } }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const list = useInfiniteQuery(sessionsQuery(user?.id));
  const others = itemsOf(list).filter((s) => !s.current);

  async function ended() {
    toast.success(t('sessions.ended'));
    await client.invalidateQueries({ queryKey: adminKeys.sessions });
  }

  function end(session: RunningSession) {
    confirm({
      title: t('sessions.endConfirm', { device: deviceOf(session.user_agent) || session.ip }),
      hint: t('sessions.endHint'),
      ok: t('sessions.end'),
      danger: true,
      run: async () => {
        await call(api.DELETE('/sessions/{id}', { params: { path: { id: session.id } } }));
        await ended();
      },
    });
  }

  function endAll() {
    confirm({
      title: user ? t('sessions.endAllConfirm', { name: user.username }) : t('sessions.endOthersConfirm'),
      hint: t('sessions.endHint'),
      ok: user ? t('sessions.endAll') : t('sessions.endOthers'),
      danger: true,
      run: async () => {
        await call(api.DELETE('/sessions', { params: { query: { user_id: user?.id } } }));
        await ended();
      },
    });
  }

  const columns: Column<RunningSession>[] = [
    {
      key: 'device',
      title: t('sessions.device'),
      card: 'head',
      render: (s) => <span title={s.user_agent}>{deviceOf(s.user_agent) || t('sessions.unknown')}</span>,
    },
    {
      key: 'current',
      title: '',
      card: 'corner',
      render: (s) => s.current && <ToneTag tone="good" text={t('sessions.current')} testId="session-current" />,
    },
    { key: 'ip', title: t('sessions.ip'), render: (s) => <code>{s.ip}</code> },
    { key: 'seen', title: t('sessions.seen'), render: (s) => <Time value={s.last_seen_at} /> },
    { key: 'since', title: t('sessions.since'), render: (s) => <Time value={s.created_at} /> },
    {
      key: 'do',
      title: '',
      card: 'foot',
      align: 'end',
      render: (s) =>
        !s.current && (
          <Button
            size="small"
            variant="outline"
            theme="danger"
            onClick={() => end(s)}
            data-testid={`end-session-${s.id}`}
          >
            {t('sessions.end')}
          </Button>
        ),
    },
  ];

  return (
    <>
      <DataList
        query={list}
        columns={columns}
        rowKey={(s) => s.id}
        testId="session"
        label={t('sessions.title')}
        empty={<EmptyNote title={t('sessions.none')} />}
      />
      {others.length > 0 && (
        <div>
          <Button variant="outline" theme="danger" onClick={endAll} data-testid="end-sessions">
            {user ? t('sessions.endAll') : t('sessions.endOthers')}
          </Button>
        </div>
      )}
    </>
  );
}
