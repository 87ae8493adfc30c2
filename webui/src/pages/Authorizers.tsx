import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { DownloadIcon, FilterIcon } from 'tdesign-icons-react';
import { labelsQuery } from '../api/merchants';
import { authorizersQuery } from '../api/queries';
import type { Authorizer } from '../api/types';
import { BulkLabels } from '../components/BulkLabels';
import { Button, ButtonLink } from '../components/Button';
import { Combo } from '../components/Combo';
import { type Column, DataList, itemsOf } from '../components/DataList';
import { Merchant } from '../components/Face';
import { PageHead } from '../components/PageHead';
import { EmptyNote } from '../components/QueryView';
import { SearchBox } from '../components/SearchBox';
import { Segmented } from '../components/Segmented';
import { SidePanel } from '../components/SidePanel';
import { AuthorizerTag } from '../components/StateTag';
import { SyncLine } from '../components/SyncLine';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { useFilter } from '../components/useFilter';
import { useLabels } from '../components/useLabels';
import {
  type Asked,
  askedOf,
  type DirectoryFilter,
  directoryFilters,
  exportAddress,
  narrowed,
  type Target,
  toggled,
  topLabels,
} from '../logic/directory';
import { knownScopes } from '../logic/scopes';

const pageSize = 50;
const shownLabels = 8;
const shownChips = 4;

function Chips({ values }: { values: string[] | null }) {
  if (!values || values.length === 0) return <span className="none">—</span>;
  return (
    <span className="pills" title={values.length > shownChips ? values.join(' · ') : undefined}>
      {values.slice(0, shownChips).map((v) => (
        <span key={v} className="pill">
          {v}
        </span>
      ))}
      {values.length > shownChips && <span className="faint">+{values.length - shownChips}</span>}
    </span>
  );
}

interface FilterProps {
  filter: DirectoryFilter;
  setFilter: (name: keyof DirectoryFilter, value: string) => void;
  clear: () => void;
}

function Filters({ filter, setFilter, clear }: FilterProps) {
  const { t } = useTranslation();
  const words = useLabels();
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState('');
  const labels = useQuery(labelsQuery(typed));
  const frequent = useQuery(labelsQuery());
  const asked = askedOf(filter);
  const search = useCallback((q: string) => setFilter('q', q), [setFilter]);
  const bizId = useCallback((id: string) => setFilter('biz_id', id), [setFilter]);
  const more = [asked.kind, asked.biz_id, asked.label, asked.func_scope].filter(Boolean).length;
  const chips = topLabels(frequent.data?.items ?? [], shownLabels, filter.label);
  return (
    <>
      <div className="toolbar toolbar--tight">
        <SearchBox value={filter.q} onSearch={search} placeholder={t('authorizers.searchPlaceholder')} />
        <Segmented
          name="status"
          label={t('authorizers.status')}
          value={asked.status ?? ''}
          onChange={(v) => setFilter('status', v)}
          options={[
            { value: '', label: t('common.all') },
            { value: 'authorized', label: t('authorizerStatus.authorized') },
            { value: 'unauthorized', label: t('authorizerStatus.unauthorized') },
          ]}
        />
        <Button
          className="filterswitch"
          variant="outline"
          theme="default"
          icon={<FilterIcon />}
          aria-expanded={open}
          onClick={() => setOpen(!open)}
          data-testid="more-filters"
        >
          {more > 0 ? t('merchants.filtersN', { n: more }) : t('merchants.filters')}
        </Button>
      </div>
      <div className={open ? 'toolbar filters filters--open' : 'toolbar filters'}>
        <Segmented
          name="kind"
          label={t('authorizers.kind')}
          value={asked.kind ?? ''}
          onChange={(v) => setFilter('kind', v)}
          options={[
            { value: '', label: t('common.all') },
            { value: 'miniprogram', label: t('kind.miniprogram') },
            { value: 'official', label: t('kind.official') },
            { value: 'other', label: t('kind.other') },
          ]}
        />
        <Combo
          name="label"
          value={filter.label}
          text={filter.label}
          options={(labels.data?.items ?? []).map((l) => ({ value: l.label, title: l.label, note: String(l.count) }))}
          exact
          onPick={(v) => setFilter('label', v)}
          onType={setTyped}
          free={(v) => v || undefined}
          label={t('authorizers.label')}
          placeholder={t('merchants.anyLabel')}
        />
        <Combo
          name="scope"
          value={asked.func_scope ? String(asked.func_scope) : ''}
          text={asked.func_scope ? words.scope(asked.func_scope) : ''}
          options={[...new Set(knownScopes(filter.kind))].map((id) => ({ value: String(id), title: words.scope(id) }))}
          onPick={(v) => setFilter('func_scope', v)}
          free={(v) => (/^\d{1,9}$/.test(v) ? v : undefined)}
          label={t('authorizers.scopes')}
          placeholder={t('merchants.anyScope')}
        />
        <SearchBox
          value={filter.biz_id}
          onSearch={bizId}
          placeholder={t('merchants.bizIdExact')}
          testId="filter-biz-id"
        />
        {narrowed(asked) && (
          <button type="button" className="plainbutton" onClick={clear} data-testid="clear-filters">
            {t('merchants.clearFilters')}
          </button>
        )}
      </div>
      {chips.length > 0 && (
        <fieldset className="chips labelchips" aria-label={t('merchants.topLabels')} data-testid="top-labels">
          {chips.map((l) => (
            <button
              key={l.label}
              type="button"
              className="chip"
              aria-pressed={filter.label === l.label}
              title={t('merchants.labelCount', { n: l.count })}
              onClick={() => setFilter('label', filter.label === l.label ? '' : l.label)}
              data-testid={`label-${l.label}`}
            >
              {l.label} <b>{l.count}</b>
            </button>
          ))}
        </fieldset>
      )}
    </>
  );
}

function useColumns(pick: Column<Authorizer> | null): Column<Authorizer>[] {
  const { t } = useTranslation();
  const words = useLabels();
  const columns: Column<Authorizer>[] = [
    {
      key: 'name',
      title: t('authorizers.name'),
      card: 'head',
      render: (a) => (
        <Link className="plain" to={`/authorizers/${a.appid}`}>
          <Merchant src={a.head_img} name={a.nick_name || t('authorizers.unnamed')} appid={a.appid} />
        </Link>
      ),
    },
    {
      key: 'status',
      title: t('authorizers.status'),
      card: 'corner',
      render: (a) => <AuthorizerTag status={a.status} stale={a.needs_reauthorization} />,
    },
    { key: 'kind', title: t('authorizers.kind'), render: (a) => <span className="brief">{words.kind(a.kind)}</span> },
    { key: 'biz', title: t('authorizers.bizIds'), render: (a) => <Chips values={a.biz_ids} /> },
    { key: 'labels', title: t('authorizers.labels'), render: (a) => <Chips values={a.labels} /> },
    { key: 'principal', title: t('authorizers.principal'), card: 'hide', render: (a) => a.principal_name },
    { key: 'at', title: t('authorizers.authorizedAt'), render: (a) => <Time value={a.authorized_at} /> },
  ];
  return pick ? [pick, ...columns] : columns;
}

/** List is for one filter: what is picked in it is gone with the next one. */
function List({ asked }: { asked: Asked }) {
  const { t } = useTranslation();
  const may = useCan('operator');
  const list = useInfiniteQuery(authorizersQuery({ ...asked, limit: pageSize }));
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const [everyone, setEveryone] = useState(false);
  const [bulk, setBulk] = useState<Target[] | null>(null);
  const rows = itemsOf(list);
  const total = list.data?.pages[0]?.total ?? rows.length;
  const shown = rows.map((a) => a.appid);
  const all = shown.length > 0 && shown.every((id) => picked.has(id));
  const some = everyone || picked.size > 0;

  function pick(appids: string[], on: boolean) {
    setEveryone(false);
    setPicked((old) => toggled(old, appids, on));
  }
  function none() {
    setEveryone(false);
    setPicked(new Set());
  }
  function change() {
    const found: Target = { filter: asked, total };
    const chosen: Target = { appids: [...picked] };
    setBulk(everyone ? [found] : picked.size > 0 ? [chosen, found] : [found]);
  }

  const columns = useColumns(
    may
      ? {
          key: 'pick',
          title: '',
          width: '44px',
          head: (
            <input
              type="checkbox"
              className="tick"
              aria-label={t('merchants.pickAll')}
              checked={everyone || all}
              ref={(box) => {
                if (box) box.indeterminate = some && !all && !everyone;
              }}
              onChange={(e) => pick(shown, e.target.checked)}
              data-testid="pick-shown"
            />
          ),
          card: 'pick',
          render: (a) => (
            <input
              type="checkbox"
              className="tick"
              aria-label={t('merchants.pick', { name: a.nick_name || a.appid })}
              checked={everyone || picked.has(a.appid)}
              onChange={(e) => pick([a.appid], e.target.checked)}
              data-testid={`pick-${a.appid}`}
            />
          ),
        }
      : null,
  );

  return (
    <>
      <div className="panel panel--flush">
        <DataList
          query={list}
          columns={columns}
          rowKey={(a) => a.appid}
          rowClass={(a) => (everyone || picked.has(a.appid) ? 'picked' : undefined)}
          testId="authorizer"
          label={t('authorizers.title')}
          empty={
            narrowed(asked) ? (
              <EmptyNote title={t('common.noMatches')} />
            ) : (
              <EmptyNote title={t('authorizers.empty')} hint={t('authorizers.emptyHint')} />
            )
          }
        />
      </div>
      {may && some && (
        <section className="pickbar" aria-label={t('merchants.changeLabels')} data-testid="pick-bar">
          <span role="status" data-testid="picked">
            {everyone ? t('merchants.pickedAll', { n: total }) : t('merchants.picked', { n: picked.size })}
          </span>
          {!everyone && all && total > picked.size && (
            <button type="button" className="plainbutton" onClick={() => setEveryone(true)} data-testid="pick-found">
              {t('merchants.pickFound', { n: total })}
            </button>
          )}
          <button type="button" className="plainbutton" onClick={none} data-testid="pick-none">
            {t('merchants.pickNone')}
          </button>
          <Button onClick={change} data-testid="change-labels">
            {t('merchants.changeLabels')}
          </Button>
        </section>
      )}
      <SidePanel
        title={t('merchants.changeLabels')}
        open={bulk !== null}
        onClose={() => setBulk(null)}
        testId="bulk-panel"
      >
        {bulk && (
          <BulkLabels
            targets={bulk}
            onDone={(r) => (r.failed ?? []).length === 0 && none()}
            onClose={() => setBulk(null)}
          />
        )}
      </SidePanel>
    </>
  );
}

export default function Authorizers() {
  const { t } = useTranslation();
  const may = useCan('operator');
  const [filter, setFilter, setSome] = useFilter(directoryFilters);
  const asked = askedOf(filter);
  const clear = () =>
    setSome(Object.fromEntries(directoryFilters.map((name) => [name, ''])) as unknown as DirectoryFilter);
  return (
    <>
      <PageHead title={t('authorizers.title')}>
        <a
          className="t-button t-button--variant-outline t-button--theme-default"
          href={exportAddress(asked)}
          download
          title={t('merchants.exportHint')}
          data-testid="export"
        >
          <DownloadIcon />
          <span className="t-button__text">{t('merchants.export')}</span>
        </a>
        {may && (
          <ButtonLink to="/authorizers/import" variant="outline" testId="import">
            {t('merchants.import')}
          </ButtonLink>
        )}
        {may && <ButtonLink to="/links?new=1">{t('links.create')}</ButtonLink>}
      </PageHead>
      <SyncLine />
      <Filters filter={filter} setFilter={setFilter} clear={clear} />
      <List key={JSON.stringify(asked)} asked={asked} />
    </>
  );
}
