import type { InfiniteData, UseInfiniteQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Page } from '../api/types';
import { Button } from './Button';
import { ProblemPanel } from './ProblemPanel';
import { Loading } from './QueryView';

export interface Column<T> {
  key: string;
  title: string;
  /** head stands in the head of the table instead of the title. */
  head?: ReactNode;
  render: (row: T) => ReactNode;
  /**
   * On a narrow screen the rows become cards: head stands on top without its title, corner to its right, foot holds
   * the buttons, pick the box to select the row by, hide is left out.
   */
  card?: 'head' | 'corner' | 'foot' | 'pick' | 'hide';
  align?: 'end';
  width?: string;
}

export interface TableProps<T> {
  columns: Column<T>[];
  rows: T[];
  rowKey: (row: T) => string;
  rowClass?: (row: T) => string | undefined;
  /** testId names each row as `${testId}-${rowKey}`. */
  testId: string;
  label: string;
}

export function Heads<T>({ columns }: { columns: Column<T>[] }) {
  return (
    <thead>
      <tr>
        {columns.map((c) => (
          <th key={c.key} scope="col" className={c.align && `data--${c.align}`} style={{ width: c.width }}>
            {c.head ?? c.title}
          </th>
        ))}
      </tr>
    </thead>
  );
}

export function Cells<T>({ columns, row }: { columns: Column<T>[]; row: T }) {
  return columns.map((c) => (
    <td
      key={c.key}
      data-label={c.title}
      className={[c.card && `data--${c.card}`, c.align && `data--${c.align}`].filter(Boolean).join(' ')}
    >
      {c.render(row)}
    </td>
  ));
}

/** DataTable is a table on wide screens and a list of cards on narrow ones: the same elements, other styles. */
export function DataTable<T>({ columns, rows, rowKey, rowClass, testId, label }: TableProps<T>) {
  return (
    <table className="data" aria-label={label} data-testid={testId}>
      <Heads columns={columns} />
      <tbody>
        {rows.map((row) => (
          <tr key={rowKey(row)} className={rowClass?.(row)} data-testid={`${testId}-${rowKey(row)}`}>
            <Cells columns={columns} row={row} />
          </tr>
        ))}
      </tbody>
    </table>
  );
}

type ListQuery<T> = UseInfiniteQueryResult<InfiniteData<Page<T>>, Error>;

export function itemsOf<T>(query: { data?: InfiniteData<Page<T>> }): T[] {
  return query.data?.pages.flatMap((page) => page.items ?? []) ?? [];
}

interface ListProps<T> extends Omit<TableProps<T>, 'rows'> {
  query: ListQuery<T>;
  empty: ReactNode;
}

/** DataList follows an endless list: loading, failure, nothing there, rows, and more of them. */
export function DataList<T>({ query, empty, ...table }: ListProps<T>) {
  const { t } = useTranslation();
  const rows = itemsOf(query);
  if (query.data === undefined) {
    return query.isError ? (
      <ProblemPanel error={query.error} onRetry={() => void query.refetch()} />
    ) : (
      <Loading rows={6} />
    );
  }
  const total = query.data.pages[0]?.total;
  return (
    <>
      {query.isRefetchError && <ProblemPanel stale error={query.error} onRetry={() => void query.refetch()} />}
      {rows.length === 0 ? empty : <DataTable rows={rows} {...table} />}
      {rows.length > 0 && (
        <div className="more">
          <span className="faint" data-testid="list-total">
            {typeof total === 'number' ? t('common.total', { n: total }) : t('common.shown', { n: rows.length })}
            {typeof total === 'number' && total > rows.length && ` · ${t('common.shown', { n: rows.length })}`}
          </span>
          {query.isFetchNextPageError && <ProblemPanel compact error={query.error} />}
          {query.hasNextPage && (
            <Button
              variant="outline"
              loading={query.isFetchingNextPage}
              onClick={() => void query.fetchNextPage()}
              data-testid="load-more"
            >
              {t('common.loadMore')}
            </Button>
          )}
        </div>
      )}
    </>
  );
}
