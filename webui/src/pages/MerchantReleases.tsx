import { useInfiniteQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { submissionsQuery } from '../api/queries';
import type { AuthorizerDetail } from '../api/types';
import { DataList } from '../components/DataList';
import { Panel } from '../components/PageHead';
import { EmptyNote } from '../components/QueryView';
import { SubmissionTag } from '../components/StateTag';
import { Time } from '../components/Time';
import { Trouble } from '../components/Trouble';
import { MerchantDomains } from './MerchantDomains';
import { MerchantPrivacy } from './MerchantPrivacy';
import { VersionsPanel } from './MerchantVersions';

/** MerchantReleases is what WeChat has of a mini program now, and what was done to bring it there. */
export function MerchantReleases({ merchant }: { merchant: AuthorizerDetail }) {
  const { t } = useTranslation();
  const list = useInfiniteQuery(submissionsQuery({ appid: merchant.appid, limit: 20 }));
  const open = merchant.status === 'authorized';
  return (
    <>
      {open && <VersionsPanel appid={merchant.appid} />}
      <Panel title={t('authorizers.submissions')}>
        <DataList
          query={list}
          testId="submission"
          label={t('authorizers.submissions')}
          rowKey={(s) => s.id}
          columns={[
            {
              key: 'version',
              title: t('rollouts.version'),
              card: 'head',
              render: (s) => (
                <Link to={`/rollouts/${s.rollout_id}/${s.id}`}>
                  <code>{s.user_version}</code>
                </Link>
              ),
            },
            {
              key: 'state',
              title: t('common.state'),
              card: 'corner',
              render: (s) => <SubmissionTag state={s.state} />,
            },
            { key: 'template', title: t('templates.id'), render: (s) => s.template_id },
            {
              key: 'trouble',
              title: t('common.details'),
              render: (s) => <Trouble submission={s} otherwise={<span className="none">—</span>} />,
            },
            { key: 'at', title: t('common.updatedAt'), render: (s) => <Time value={s.updated_at ?? s.created_at} /> },
          ]}
          empty={<EmptyNote title={t('authorizers.submissionsEmpty')} />}
        />
      </Panel>
      {open && <MerchantDomains appid={merchant.appid} />}
      {open && <MerchantPrivacy appid={merchant.appid} />}
    </>
  );
}
