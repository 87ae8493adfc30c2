import { type UseQueryResult, useQueries, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useState } from 'react';
import { type SubmissionFilter, submissionPageQuery } from '../api/queries';
import type { SubmissionItem } from '../api/types';
import { chained, inSight, rowsOf, type Seen } from '../logic/pages';

/** submissionsAPage is as many as the server gives at once. */
export const submissionsAPage = 200;

export interface Pages {
  rows: SubmissionItem[];
  /** total counts the rows that are not here too, as told last; undefined before anything is. */
  total: number | undefined;
  /** room is how many rows the list is long; the last ones may still have to come. */
  room: number;
  /** failed is a page that could not be read, if there is one. */
  failed: UseQueryResult<unknown> | undefined;
  onSeen: (first: number, last: number) => void;
  /** all reads the whole list. */
  all: () => Promise<SubmissionItem[]>;
}

/** Held keeps the rows as they are until a page changes: what is drawn of them need not be drawn again. */
interface Held {
  known: readonly unknown[];
  rows: SubmissionItem[];
}

/**
 * useSubmissionPages follows an endless list of submissions. Events make all pages out of date, and only those in sight
 * are read again at once: a list of ten thousand costs as much to keep up to date as one of a hundred.
 */
export function useSubmissionPages(filter: SubmissionFilter): Pages {
  const client = useQueryClient();
  const [cursors, setCursors] = useState<readonly string[]>(['']);
  const [seen, setSeen] = useState<Seen>({ first: 0, last: 0 });
  const pages = useQueries({
    queries: cursors.map((cursor, i) => {
      const options = submissionPageQuery({ ...filter, limit: submissionsAPage }, cursor);
      const sees = inSight(i, seen, submissionsAPage);
      return { ...options, enabled: (query: { state: { data: unknown } }) => sees || query.state.data === undefined };
    }),
  });
  const known = pages.map((p) => p.data);
  const [held, setHeld] = useState<Held>({ known: [], rows: [] });
  let { rows } = held;
  if (known.length !== held.known.length || known.some((page, i) => page !== held.known[i])) {
    rows = rowsOf(known);
    setHeld({ known, rows });
  }
  const next = chained(cursors, known, seen.last + 50, submissionsAPage);
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
  const total = newest.data && (newest.data.total ?? 0);

  async function all() {
    const rows: SubmissionItem[] = [];
    let cursor = '';
    do {
      const page = await client.fetchQuery(submissionPageQuery({ ...filter, limit: submissionsAPage }, cursor));
      rows.push(...(page.items ?? []));
      cursor = page.next_cursor;
    } while (cursor !== '');
    return rows;
  }

  return {
    rows,
    total,
    room: complete ? rows.length : Math.max(total ?? 0, rows.length),
    failed: pages.find((p) => p.isError),
    onSeen,
    all,
  };
}
