import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, call } from './client';
import { keys } from './queries';
import type { AuditFilter } from './types';

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
