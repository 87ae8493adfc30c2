import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { versionsQuery } from '../api/queries';
import type { Versions } from '../api/types';
import { Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { QueryView } from '../components/QueryView';
import { Time } from '../components/Time';
import { versionFacts } from '../logic/authorizer';

function VersionCard({ title, version }: { title: string; version: Record<string, unknown> | null | undefined }) {
  const { t } = useTranslation();
  const facts = versionFacts(version);
  return (
    <div className="version">
      <span className="version__slot">{title}</span>
      {facts ? (
        <>
          <b>{facts.version || '—'}</b>
          <span className="muted">{facts.desc}</span>
          {facts.time && (
            <span className="faint">
              <Time value={facts.time} />
            </span>
          )}
        </>
      ) : (
        <span className="faint">{t('authorizers.versionNone')}</span>
      )}
    </div>
  );
}

/** VersionsPanel is what WeChat has of a mini program now: trial, under review, live. */
export function VersionsPanel({ appid }: { appid: string }) {
  const { t } = useTranslation();
  const query = useQuery(versionsQuery(appid));
  // An older server does not know this call; then there is simply nothing to show.
  if (query.error && 'status' in query.error && query.error.status === 404) return null;
  return (
    <Panel title={t('authorizers.versions')} testId="versions">
      {query.isError ? (
        <ProblemPanel error={query.error} onRetry={() => void query.refetch()} />
      ) : (
        <QueryView query={query} rows={2}>
          {(v: Versions) => (
            <div className="versions">
              <VersionCard title={t('authorizers.versionExperience')} version={v.experience} />
              <VersionCard title={t('authorizers.versionAudit')} version={v.audit} />
              <VersionCard title={t('authorizers.versionLive')} version={v.live} />
            </div>
          )}
        </QueryView>
      )}
    </Panel>
  );
}
