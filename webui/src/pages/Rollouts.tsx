import { useInfiniteQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { rolloutsQuery } from '../api/queries';
import { ButtonLink } from '../components/Button';
import { DataList } from '../components/DataList';
import { PageHead } from '../components/PageHead';
import { EmptyNote } from '../components/QueryView';
import { Segmented } from '../components/Segmented';
import { StateBar } from '../components/StateBar';
import { RolloutTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { useFilter } from '../components/useFilter';
import { finishedPercent } from '../logic/states';

export default function Rollouts() {
  const { t } = useTranslation();
  const may = useCan('operator');
  const [filter, setFilter] = useFilter(['state']);
  const list = useInfiniteQuery(rolloutsQuery({ state: filter.state, limit: 50 }));
  return (
    <>
      <PageHead title={t('rollouts.title')}>
        <ButtonLink to="/profiles" variant="outline" testId="to-profiles">
          {t('profiles.title')}
        </ButtonLink>
        {may && (
          <ButtonLink to="/rollouts/new" testId="new-rollout">
            {t('rollouts.create')}
          </ButtonLink>
        )}
      </PageHead>
      <div className="toolbar">
        <Segmented
          name="state"
          label={t('common.state')}
          value={filter.state}
          onChange={(v) => setFilter('state', v)}
          options={[
            { value: '', label: t('common.all') },
            ...(['scheduled', 'running', 'paused', 'completed', 'canceled'] as const).map((s) => ({
              value: s,
              label: t(`rolloutState.${s}`),
            })),
          ]}
        />
      </div>
      <div className="panel panel--flush">
        <DataList
          query={list}
          testId="rollout"
          label={t('rollouts.title')}
          rowKey={(r) => r.id}
          columns={[
            {
              key: 'name',
              title: t('rollouts.name'),
              card: 'head',
              render: (r) => (
                <Link to={`/rollouts/${r.id}`}>
                  <b>{r.name}</b>
                </Link>
              ),
            },
            { key: 'state', title: t('common.state'), card: 'corner', render: (r) => <RolloutTag state={r.state} /> },
            { key: 'version', title: t('rollouts.version'), render: (r) => <code>{r.user_version}</code> },
            {
              key: 'progress',
              title: t('rollouts.progress'),
              width: '30%',
              render: (r) => (
                <span className="progresscell">
                  <StateBar thin counts={r.counts} total={r.total} />
                  <span className="faint">
                    {finishedPercent(r.counts, r.total)}% · {t('rollouts.merchants', { n: r.total })}
                  </span>
                </span>
              ),
            },
            { key: 'by', title: t('rollouts.createdBy'), render: (r) => r.created_by },
            { key: 'at', title: t('common.createdAt'), render: (r) => <Time value={r.created_at} /> },
          ]}
          empty={
            filter.state ? (
              <EmptyNote title={t('common.noMatches')} />
            ) : (
              <EmptyNote title={t('rollouts.empty')} hint={t('rollouts.emptyHint')} />
            )
          }
        />
      </div>
    </>
  );
}
