import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { inParts } from '../logic/bulk';
import { api, call, newIdempotencyKey } from './client';
import { keys } from './queries';
import type { AuditFilter, ManyAction, ManyAnswer } from './types';

// Audits are submissions: they are kept under them, so that the same events make them out of date.

export function auditsQuery(filter: AuditFilter) {
  return infiniteQueryOptions({
    queryKey: [...keys.submissions, 'list', 'audits', filter],
    initialPageParam: '',
    placeholderData: keepPreviousData,
    queryFn: ({ pageParam, signal }) =>
      call(api.GET('/audits', { params: { query: { ...filter, cursor: pageParam || undefined } }, signal })),
    getNextPageParam: (last) => last.next_cursor || undefined,
  });
}

export const auditSummaryQuery = queryOptions({
  queryKey: [...keys.submissions, 'list', 'audit-summary'],
  queryFn: ({ signal }) => call(api.GET('/audits/summary', { signal })),
});

/** atOnce is how many submissions one call takes. */
const atOnce = 1000;

/** actOnMany does the same with many submissions and says which did not take it. */
export async function actOnMany(action: ManyAction, ids: readonly string[]): Promise<ManyAnswer> {
  const all: { done: string[]; failed: NonNullable<ManyAnswer['failed']> } = { done: [], failed: [] };
  for (const part of inParts(ids, atOnce)) {
    const answer = await call(
      api.POST('/submissions/bulk', {
        params: { header: { 'Idempotency-Key': newIdempotencyKey() } },
        body: { ids: part, action },
      }),
    );
    all.done.push(...(answer.done ?? []));
    all.failed.push(...(answer.failed ?? []));
  }
  return all;
}
