import { type UseQueryResult, useQueries, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useState } from 'react';
import { type SubmissionFilter, submissionPageQuery } from '../api/queries';
import type { SubmissionItem } from '../api/types';
import { chained, inSight, rowsOf, type Seen } from '../logic/pages';

/** submissionsAPage is as many as the server gives at once. */
export const submissionsAPage = 200;

export interface Pages {
  rows: SubmissionItem[];
  /** total counts the rows that are not here too; undefined before anything is. */
  total: number | undefined;
  /** failed is a page that could not be read, if there is one. */
  failed: UseQueryResult<unknown> | undefined;
  onSeen: (first: number, last: number) => void;
  /** all reads the whole list. */
  all: () => Promise<SubmissionItem[]>;
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
    rows: rowsOf(known),
    total: known[0] && (known[0].total ?? 0),
    failed: pages.find((p) => p.isError),
    onSeen,
    all,
  };
}
