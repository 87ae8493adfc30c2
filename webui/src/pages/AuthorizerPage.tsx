import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useParams } from 'react-router-dom';
import { api, call } from '../api/client';
import { authorizerQuery, keys } from '../api/queries';
import type { AuthorizerDetail } from '../api/types';
import { Button, ButtonLink } from '../components/Button';
import { Face } from '../components/Face';
import { PageHead } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { Loading } from '../components/QueryView';
import { AuthorizerTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { type Tab, Tabs } from '../components/Tabs';
import { toast } from '../components/toast';
import { useFilter } from '../components/useFilter';
import { MerchantMessages } from './MerchantMessages';
import { MerchantNotes } from './MerchantNotes';
import { MerchantOperations } from './MerchantOperations';
import { MerchantOverview } from './MerchantOverview';
import { MerchantOwnData } from './MerchantOwnData';
import { MerchantProfile } from './MerchantProfile';
import { MerchantReleases } from './MerchantReleases';
import { MerchantTimeline } from './MerchantTimeline';

export default function AuthorizerPage() {
  const { t } = useTranslation();
  const { appid = '' } = useParams();
  const client = useQueryClient();
  const may = useCan('operator');
  const query = useQuery(authorizerQuery(appid));
  const [busy, setBusy] = useState(false);
  const [filter, setFilter] = useFilter(['tab']);

  function tabs(m: AuthorizerDetail): Tab[] {
    const program = m.kind === 'miniprogram';
    const all: (Tab & { hidden?: boolean })[] = [
      { key: 'overview', title: t('merchants.tab.overview'), render: () => <MerchantOverview merchant={m} /> },
      { key: 'own', title: t('merchants.tab.own'), render: () => <MerchantOwnData merchant={m} /> },
      { key: 'notes', title: t('merchants.tab.notes'), render: () => <MerchantNotes appid={m.appid} /> },
      {
        key: 'releases',
        title: t('merchants.tab.releases'),
        hidden: !program,
        render: () => <MerchantReleases merchant={m} />,
      },
      { key: 'profile', title: t('ops.tabProfile'), hidden: !program, render: () => <MerchantProfile merchant={m} /> },
      {
        key: 'operations',
        title: t('ops.tabOperations'),
        hidden: !program,
        render: () => <MerchantOperations merchant={m} />,
      },
      { key: 'messages', title: t('merchants.tab.messages'), render: () => <MerchantMessages appid={m.appid} /> },
      { key: 'timeline', title: t('merchants.tab.timeline'), render: () => <MerchantTimeline appid={m.appid} /> },
    ];
    return all.filter((tab) => !tab.hidden);
  }

  async function refresh() {
    setBusy(true);
    try {
      await call(api.POST('/authorizers/{appid}/refresh', { params: { path: { appid } } }));
      await client.invalidateQueries({ queryKey: keys.authorizers });
      toast.success(t('authorizers.refreshed'));
    } catch (thrown) {
      toast.problem(thrown, t('problem.generic'));
    } finally {
      setBusy(false);
    }
  }

  const merchant = query.data;
  const open = merchant?.status === 'authorized';
  return (
    <>
      <PageHead
        title={merchant?.nick_name || appid}
        back={{ to: '/authorizers', label: t('authorizers.title') }}
        aside={
          merchant && (
            <>
              <Face large src={merchant.head_img} name={merchant.nick_name} />
              <AuthorizerTag status={merchant.status} stale={merchant.needs_reauthorization} />
            </>
          )
        }
      >
        {may && (
          <Button
            variant="outline"
            theme="default"
            loading={busy}
            disabled={!open}
            onClick={() => void refresh()}
            data-testid="refresh"
          >
            {t('authorizers.refresh')}
          </Button>
        )}
        {may && open && merchant?.kind === 'miniprogram' && (
          <ButtonLink to={`/rollouts/new?appid=${encodeURIComponent(appid)}`} testId="publish">
            {t('authorizers.publish')}
          </ButtonLink>
        )}
        {may && open && merchant?.kind === 'official' && (
          <ButtonLink
            to={`/registrations?new=1&kind=official_account&appid=${encodeURIComponent(appid)}`}
            testId="register-from"
          >
            {t('registrations.create')}
          </ButtonLink>
        )}
      </PageHead>
      {query.isPending && <Loading rows={8} />}
      {query.isError && !merchant && <ProblemPanel error={query.error} onRetry={() => void query.refetch()} />}
      {merchant && (
        <>
          {!open && <div className="banner">{t('authorizers.withdrawnHint')}</div>}
          {open && merchant.needs_reauthorization && (
            <div className="banner" data-testid="needs-reauthorization">
              {t('authorizers.reauthorizeHint')}
            </div>
          )}
          {merchant.info_error && (
            <div className="banner">
              <b>{t('authorizers.infoError')}</b> {merchant.info_error}
            </div>
          )}
          <Tabs
            key={appid}
            label={t('merchants.tabs')}
            tabs={tabs(merchant)}
            value={filter.tab}
            onChange={(tab) => setFilter('tab', tab)}
          />
        </>
      )}
    </>
  );
}
