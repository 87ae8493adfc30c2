import { type UseQueryResult, useQueries, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useState } from 'react';
import type { Page, PageQuery } from '../api/types';
import { chained, inSight, rowsOf, type Seen } from '../logic/pages';

/** aPage is as many as the server gives at once. */
export const aPage = 200;

export interface Pages<T> {
  rows: T[];
  /** total counts the rows that are not here too, as told last; undefined before anything is, null where the server does not count. */
  total: number | null | undefined;
  /** complete: all rows are here. */
  complete: boolean;
  /** room is how many rows the list is long; the last ones may still have to come. */
  room: number;
  /** failed is a page that could not be read, if there is one. */
  failed: UseQueryResult<unknown> | undefined;
  onSeen: (first: number, last: number) => void;
  /** all reads the whole list. */
  all: () => Promise<T[]>;
}

/** Held keeps the rows as they are until a page changes: what is drawn of them need not be drawn again. */
interface Held<T> {
  known: readonly unknown[];
  rows: T[];
}

/**
 * usePages follows an endless list; pageOf asks for `aPage` rows after a cursor. Events make all pages out of date, and only those in sight
 * are read again at once: a list of ten thousand costs as much to keep up to date as one of a hundred.
 */
export function usePages<T>(pageOf: (cursor: string) => PageQuery<T>): Pages<T> {
  const client = useQueryClient();
  const [cursors, setCursors] = useState<readonly string[]>(['']);
  const [seen, setSeen] = useState<Seen>({ first: 0, last: 0 });
  const pages = useQueries({
    queries: cursors.map((cursor, i) => {
      const sees = inSight(i, seen, aPage);
      return {
        ...pageOf(cursor),
        enabled: (query: { state: { data: unknown } }) => sees || query.state.data === undefined,
      };
    }),
  });
  const known = pages.map((p): Page<T> | undefined => p.data);
  const [held, setHeld] = useState<Held<T>>({ known: [], rows: [] });
  let { rows } = held;
  if (known.length !== held.known.length || known.some((page, i) => page !== held.known[i])) {
    rows = rowsOf(known);
    setHeld({ known, rows });
  }
  const next = chained(cursors, known, seen.last + 50, aPage);
  const moved = next.length !== cursors.length || next.some((cursor, i) => cursor !== cursors[i]);
  useEffect(() => {
    if (moved) setCursors(next);
  });
  const onSeen = useCallback(
    (first: number, last: number) =>
      setSeen((old) => (old.first === first && old.last === last ? old : { first, last })),
    [],
  );

  const complete = known.at(-1)?.next_cursor === '';
  const newest = pages.reduce((a, b) => (b.dataUpdatedAt > a.dataUpdatedAt ? b : a));
  const total = newest.data?.total;
  const more = typeof total === 'number' ? total : rows.length + aPage;

  async function all() {
    const rows: T[] = [];
    let cursor = '';
    do {
      const page = await client.fetchQuery(pageOf(cursor));
      rows.push(...(page.items ?? []));
      cursor = page.next_cursor;
    } while (cursor !== '');
    return rows;
  }

  return {
    rows,
    total,
    complete,
    room: complete ? rows.length : Math.max(more, rows.length),
    failed: pages.find((p) => p.isError),
    onSeen,
    all,
  };
}
