import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { liveMerchantsQuery, liveVersionsQuery } from '../api/planning';
import type { LiveMerchant } from '../api/types';
import { ButtonLink } from '../components/Button';
import { type Column, DataList } from '../components/DataList';
import { Merchant } from '../components/Face';
import { Panel } from '../components/PageHead';
import { EmptyNote, QueryView } from '../components/QueryView';
import { SidePanel } from '../components/SidePanel';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { VersionBars } from '../components/VersionBars';
import { most, shares, type VersionShare } from '../logic/versions';

const shownAtFirst = 12;

/** belowAddress begins a rollout to all merchants below a version, with a template of that version if there is one. */
export function belowAddress(version: string, templateId?: number): string {
  const query = new URLSearchParams({ below: version });
  if (templateId !== undefined) query.set('template_id', String(templateId));
  return `/rollouts/new?${query}`;
}

function Merchants({ version }: { version: string }) {
  const { t } = useTranslation();
  const list = useInfiniteQuery(liveMerchantsQuery(version));
  const columns: Column<LiveMerchant>[] = [
    {
      key: 'merchant',
      title: t('library.merchant'),
      card: 'head',
      render: (m) => (
        <Link to={`/authorizers/${m.appid}`}>
          <Merchant name={m.nick_name} appid={m.appid} />
        </Link>
      ),
    },
    {
      key: 'template',
      title: t('library.template'),
      render: (m) => (m.template_id === null ? <span className="none">—</span> : <code>#{m.template_id}</code>),
    },
    { key: 'at', title: t('library.releasedAt'), render: (m) => <Time value={m.released_at} /> },
    { key: 'seen', title: t('library.seenAt'), render: (m) => <Time value={m.seen_at} /> },
  ];
  return (
    <DataList
      query={list}
      columns={columns}
      rowKey={(m) => m.appid}
      testId="live-merchant"
      label={t('library.merchants', { version })}
      empty={<EmptyNote title={t('library.merchantsEmpty')} />}
    />
  );
}

function Bars({ rows, templateOf }: { rows: VersionShare[]; templateOf: (version: string) => number | undefined }) {
  const { t } = useTranslation();
  const may = useCan('operator');
  const [open, setOpen] = useState<string | null>(null);
  const [all, setAll] = useState(false);
  if (rows.length === 0) return <EmptyNote title={t('library.versionsEmpty')} />;
  const top = most(rows);
  return (
    <>
      {top && (
        <p className="muted">
          {t('library.versionsSummary', {
            versions: rows.filter((r) => r.version !== '').length,
            merchants: rows.reduce((n, r) => n + r.merchants, 0),
            version: top.version,
            n: top.merchants,
          })}
        </p>
      )}
      <VersionBars
        label={t('library.versions')}
        versions={all ? rows : rows.slice(0, shownAtFirst)}
        picked={open}
        onPick={setOpen}
      />
      {rows.length > shownAtFirst && (
        <button type="button" className="disclosure" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? t('library.less') : t('library.more', { n: rows.length })}
        </button>
      )}
      <SidePanel
        title={open ? t('library.merchants', { version: open }) : t('library.merchantsUnknown')}
        open={open !== null}
        onClose={() => setOpen(null)}
        testId="live-merchants"
      >
        {may && open && (
          <div>
            <ButtonLink to={belowAddress(open, templateOf(open))} variant="outline" testId="rollout-below">
              {t('library.rolloutBelow', { version: open })}
            </ButtonLink>
          </div>
        )}
        {open !== null && <Merchants version={open} />}
      </SidePanel>
    </>
  );
}

/** LiveVersions shows which versions are live at how many merchants, and who they are. */
export function LiveVersions({ templateOf }: { templateOf: (version: string) => number | undefined }) {
  const { t } = useTranslation();
  const query = useQuery(liveVersionsQuery);
  return (
    <Panel title={t('library.versions')} hint={t('library.versionsHint')} testId="live-versions">
      <QueryView query={query} rows={4}>
        {(list) => <Bars rows={shares(list)} templateOf={templateOf} />}
      </QueryView>
    </Panel>
  );
}
