import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate, useParams } from 'react-router-dom';
import { api, call } from '../api/client';
import { keys, rolloutQuery, submissionsQuery } from '../api/queries';
import type { Rollout, SubmissionItem } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { type Column, DataList } from '../components/DataList';
import { Merchant } from '../components/Face';
import { PageHead, Pairs, Panel } from '../components/PageHead';
import { EmptyNote, QueryView } from '../components/QueryView';
import { SidePanel } from '../components/SidePanel';
import { StateBar, StatePicker, ToneLegend } from '../components/StateBar';
import { RolloutTag, SubmissionTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { useFilter } from '../components/useFilter';
import { finishedPercent, type RolloutAction, rolloutActionsFor } from '../logic/states';
import { trouble } from '../logic/submission';
import { SubmissionView } from './SubmissionView';

function post(action: RolloutAction, id: string) {
  const params = { path: { id } };
  switch (action) {
    case 'pause':
      return call(api.POST('/rollouts/{id}/pause', { params }));
    case 'resume':
      return call(api.POST('/rollouts/{id}/resume', { params }));
    case 'cancel':
      return call(api.POST('/rollouts/{id}/cancel', { params }));
    case 'retry-failed':
      return call(api.POST('/rollouts/{id}/retry-failed', { params }));
  }
}

function Actions({ rollout }: { rollout: Rollout }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  if (!may) return null;
  return rolloutActionsFor(rollout.state, rollout.counts).map((action) => (
    <Button
      key={action}
      variant={action === 'resume' ? 'base' : 'outline'}
      theme={action === 'cancel' ? 'danger' : action === 'resume' ? 'primary' : 'default'}
      data-testid={`rollout-${action}`}
      onClick={() =>
        confirm({
          title: t(`rollouts.confirm.${action}`),
          hint: t(`rollouts.confirmHint.${action}`),
          ok: t(`rollouts.actions.${action}`),
          danger: action === 'cancel',
          run: async () => {
            await post(action, rollout.id);
            await Promise.all([
              client.invalidateQueries({ queryKey: keys.rollouts }),
              client.invalidateQueries({ queryKey: keys.submissions }),
            ]);
            toast.success(t('common.done'));
          },
        })
      }
    >
      {t(`rollouts.actions.${action}`)}
    </Button>
  ));
}

function Summary({ rollout }: { rollout: Rollout }) {
  const { t } = useTranslation();
  return (
    <Panel testId="rollout-summary">
      <div className="progress">
        <div className="progress__head">
          <span className="progress__percent" data-testid="rollout-percent">
            {finishedPercent(rollout.counts, rollout.total)}%
          </span>
          <ToneLegend counts={rollout.counts} total={rollout.total} />
        </div>
        <StateBar counts={rollout.counts} total={rollout.total} />
      </div>
      {rollout.pause_reason && (
        <div className="banner" data-testid="pause-reason">
          <b>{t('rollouts.pauseReason')}</b> {rollout.pause_reason}
        </div>
      )}
      <Pairs
        items={[
          [t('rollouts.version'), <code key="v">{rollout.user_version}</code>],
          [t('rollouts.template'), <code key="t">#{rollout.template_id}</code>],
          [t('newRollout.userDesc'), rollout.user_desc],
          [t('rollouts.createdBy'), rollout.created_by],
          [t('common.createdAt'), <Time key="at" value={rollout.created_at} />],
          [t('rollouts.finishedAt'), <Time key="f" value={rollout.finished_at} />],
        ]}
      />
    </Panel>
  );
}

function Merchants({ rollout }: { rollout: Rollout }) {
  const { t } = useTranslation();
  const [filter, setFilter] = useFilter(['state']);
  const list = useInfiniteQuery(submissionsQuery({ rollout_id: rollout.id, state: filter.state, limit: 50 }));
  const search = filter.state ? `?state=${filter.state}` : '';
  const columns: Column<SubmissionItem>[] = [
    {
      key: 'name',
      title: t('authorizers.name'),
      card: 'head',
      render: (s) => (
        <Link
          className="plain"
          to={`/rollouts/${rollout.id}/${s.id}${search}`}
          data-testid={`open-submission-${s.appid}`}
        >
          <Merchant name={s.nick_name} appid={s.appid} />
        </Link>
      ),
    },
    { key: 'state', title: t('common.state'), card: 'corner', render: (s) => <SubmissionTag state={s.state} /> },
    {
      key: 'note',
      title: t('common.details'),
      width: '40%',
      render: (s) =>
        trouble(s) ? (
          <span className="note--bad">{trouble(s)}</span>
        ) : s.wait_until && !['released', 'superseded', 'canceled'].includes(s.state) ? (
          <span className="faint">
            {t('submission.nextLook')} <Time value={s.wait_until} />
          </span>
        ) : (
          <span className="none">—</span>
        ),
    },
    { key: 'at', title: t('common.updatedAt'), render: (s) => <Time value={s.updated_at ?? s.created_at} /> },
  ];
  return (
    <div className="panel panel--flush" data-testid="rollout-merchants">
      <div className="panel__filter">
        <StatePicker
          counts={rollout.counts}
          total={rollout.total}
          picked={filter.state}
          onPick={(s) => setFilter('state', s)}
        />
      </div>
      <DataList
        query={list}
        testId="submission"
        label={t('nav.authorizers')}
        rowKey={(s) => s.appid}
        columns={columns}
        empty={<EmptyNote title={t('submission.empty')} />}
      />
    </div>
  );
}

export default function RolloutPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { id = '', sid } = useParams();
  const query = useQuery(rolloutQuery(id));
  return (
    <>
      <PageHead
        title={query.data?.name ?? t('rollouts.title')}
        back={{ to: '/rollouts', label: t('rollouts.title') }}
        aside={query.data && <RolloutTag state={query.data.state} />}
      >
        {query.data && <Actions rollout={query.data} />}
      </PageHead>
      <QueryView query={query} rows={8}>
        {(rollout) => (
          <>
            <Summary rollout={rollout} />
            <Merchants rollout={rollout} />
          </>
        )}
      </QueryView>
      <SidePanel
        testId="submission-detail"
        title={t('submission.timeline')}
        open={Boolean(sid)}
        onClose={() => void navigate(`/rollouts/${id}${window.location.search}`)}
      >
        {sid && <SubmissionView id={sid} />}
      </SidePanel>
    </>
  );
}
