import { useInfiniteQuery } from '@tanstack/react-query';
import { useCallback, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { auditLogQuery } from '../api/admin';
import type { AuditEntry } from '../api/types';
import { Button } from '../components/Button';
import { Combo } from '../components/Combo';
import { type Column, DataList, itemsOf } from '../components/DataList';
import { SpanChoice } from '../components/MessageFilters';
import { NeedsRole } from '../components/NeedsRole';
import { PageHead, Pairs } from '../components/PageHead';
import { EmptyNote } from '../components/QueryView';
import { SearchBox } from '../components/SearchBox';
import { SidePanel } from '../components/SidePanel';
import { ToneTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { useFilter } from '../components/useFilter';
import { actionTitle, knownActions } from '../logic/actions';
import { auditCsv, auditFilter, auditFilters, auditSpan, outcomes, outcomeTones } from '../logic/auditlog';

function Outcome({ entry }: { entry: AuditEntry }) {
  const { t } = useTranslation();
  return (
    <ToneTag
      tone={outcomeTones[entry.outcome]}
      text={t(`tokens.outcomes.${entry.outcome}`)}
      testId={`outcome-${entry.outcome}`}
    />
  );
}

function Entry({
  entry,
  onFilter,
}: {
  entry: AuditEntry;
  onFilter: (name: 'user' | 'action' | 'target', value: string) => void;
}) {
  const { t, i18n } = useTranslation();
  const narrow = (name: 'user' | 'action' | 'target', value: string) =>
    value && (
      <Button size="small" variant="text" onClick={() => onFilter(name, value)} data-testid={`only-${name}`}>
        {t('auditLog.only')}
      </Button>
    );
  return (
    <>
      <Pairs
        items={[
          [t('auditLog.what'), <b key="what">{actionTitle(entry.action, i18n.language)}</b>],
          [t('auditLog.outcome'), <Outcome key="outcome" entry={entry} />],
          [
            t('auditLog.who'),
            <span key="who">
              {entry.user} {narrow('user', entry.user)}
            </span>,
          ],
          [t('auditLog.when'), <Time key="when" value={entry.at} exact="both" />],
          [
            t('auditLog.action'),
            <span key="action">
              <code>{entry.action}</code> {narrow('action', entry.action)}
            </span>,
          ],
          [
            t('auditLog.target'),
            entry.target && (
              <span key="target">
                <code>{entry.target}</code> {narrow('target', entry.target.split('/', 1)[0] ?? '')}
              </span>
            ),
          ],
          [t('auditLog.from'), <code key="from">{entry.ip}</code>],
          [t('auditLog.answer'), String(entry.status)],
        ]}
      />
      <pre className="code">
        {entry.method} {entry.path}
      </pre>
    </>
  );
}

/** AuditLog is who changed, or was refused, what. */
export default function AuditLog() {
  const { t, i18n } = useTranslation();
  const may = useCan('operator');
  const [address, set, setSome] = useFilter(auditFilters);
  const [now, setNow] = useState(Date.now);
  const [open, setOpen] = useState<AuditEntry | null>(null);
  const key = JSON.stringify(address);
  const filter = useMemo(() => auditFilter(JSON.parse(key), now), [key, now]);
  const list = useInfiniteQuery({ ...auditLogQuery(filter), enabled: may });
  const search = useCallback((q: string) => set('q', q), [set]);
  const narrowed = auditFilters.some((name) => address[name] !== '');
  if (!may) return <NeedsRole title={t('auditLog.title')} needs="operator" />;

  const people = [...new Set(itemsOf(list).map((e) => e.user))].filter(Boolean).sort();
  const columns: Column<AuditEntry>[] = [
    {
      key: 'what',
      title: t('auditLog.what'),
      card: 'head',
      render: (e) => (
        <button
          type="button"
          className="linkbutton linkbutton--row"
          onClick={() => setOpen(e)}
          data-testid={`open-${e.id}`}
        >
          <b>{actionTitle(e.action, i18n.language)}</b>
        </button>
      ),
    },
    { key: 'outcome', title: t('auditLog.outcome'), card: 'corner', render: (e) => <Outcome entry={e} /> },
    { key: 'who', title: t('auditLog.who'), render: (e) => e.user || <span className="none">—</span> },
    {
      key: 'target',
      title: t('auditLog.target'),
      render: (e) => (e.target ? <code className="cut">{e.target}</code> : <span className="none">—</span>),
    },
    { key: 'from', title: t('auditLog.from'), render: (e) => <code>{e.ip}</code> },
    { key: 'when', title: t('auditLog.when'), render: (e) => <Time value={e.at} /> },
  ];

  return (
    <>
      <PageHead title={t('auditLog.title')}>
        <Button
          variant="outline"
          theme="default"
          loading={list.isFetching && !list.isFetchingNextPage}
          onClick={() => {
            setNow(Date.now());
            void list.refetch();
          }}
          data-testid="refresh"
        >
          {t('common.refresh')}
        </Button>
        <a
          className="t-button t-button--variant-outline t-button--theme-default"
          href={auditCsv(filter)}
          download="audit-log.csv"
          data-testid="export-audit"
        >
          <span className="t-button__text">{t('auditLog.csv')}</span>
        </a>
      </PageHead>
      <div className="toolbar">
        <SearchBox value={address.q} onSearch={search} placeholder={t('auditLog.search')} />
        <Combo
          exact
          name="user"
          label={t('auditLog.who')}
          placeholder={t('auditLog.anybody')}
          value={address.user}
          text={address.user}
          options={people.map((value) => ({ value, title: value }))}
          free={(typed) => typed || undefined}
          onPick={(value) => set('user', value)}
        />
        <Combo
          name="action"
          label={t('auditLog.action')}
          placeholder={t('auditLog.anything')}
          value={address.action}
          text={address.action && actionTitle(address.action, i18n.language)}
          options={knownActions(i18n.language)}
          free={(typed) => (/^[a-z-]+$/.test(typed) ? typed : undefined)}
          onPick={(value) => set('action', value)}
        />
        <select
          className="input input--select"
          aria-label={t('auditLog.outcome')}
          value={address.outcome}
          onChange={(e) => set('outcome', e.target.value)}
          data-testid="filter-outcome"
        >
          <option value="">{t('auditLog.anyOutcome')}</option>
          {outcomes.map((outcome) => (
            <option key={outcome} value={outcome}>
              {t(`tokens.outcomes.${outcome}`)}
            </option>
          ))}
        </select>
        <SpanChoice
          value={{ span: auditSpan(address), since: address.since, until: address.until }}
          onPick={(value) => {
            setNow(Date.now());
            setSome(value.span === 'all' ? { ...value, span: '' } : value);
          }}
        />
        {address.target && (
          <button
            type="button"
            className="chip"
            aria-pressed="true"
            onClick={() => set('target', '')}
            data-testid="clear-target"
          >
            {t('auditLog.target')}: <code>{address.target}</code> ×
          </button>
        )}
        {narrowed && (
          <Button
            variant="text"
            theme="default"
            onClick={() => setSome(Object.fromEntries(auditFilters.map((name) => [name, ''])))}
            data-testid="clear-filters"
          >
            {t('auditLog.clear')}
          </Button>
        )}
      </div>
      <div className="panel panel--flush">
        <DataList
          query={list}
          columns={columns}
          rowKey={(e) => e.id}
          testId="entry"
          label={t('auditLog.title')}
          empty={
            narrowed ? (
              <EmptyNote title={t('common.noMatches')} />
            ) : (
              <EmptyNote title={t('auditLog.empty')} hint={t('auditLog.emptyHint')} />
            )
          }
        />
      </div>
      <SidePanel testId="entry-detail" title={t('auditLog.entry')} open={open !== null} onClose={() => setOpen(null)}>
        {open && (
          <Entry
            entry={open}
            onFilter={(name, value) => {
              setOpen(null);
              set(name, value);
            }}
          />
        )}
      </SidePanel>
    </>
  );
}
