import { queryOptions } from '@tanstack/react-query';
import { inParts } from '../logic/bulk';
import { api, call, newIdempotencyKey } from './client';
import { keys } from './queries';
import type { Audit, AuditChange, AuditFilter, ManyAction, ManyAnswer, PageQuery } from './types';

// Audits are submissions: they are kept under them, so that the same events make them out of date.

/** auditPageQuery is one page of the desk, kept by itself so that only pages in sight are read again. */
export function auditPageQuery(filter: AuditFilter, cursor: string): PageQuery<Audit> {
  return {
    queryKey: [...keys.submissions, 'list', 'audits', filter, cursor],
    // Events say when it is out of date.
    staleTime: 60_000,
    queryFn: ({ signal }) =>
      call(api.GET('/audits', { params: { query: { ...filter, cursor: cursor || undefined } }, signal })),
  };
}

export const auditSummaryQuery = queryOptions({
  queryKey: [...keys.submissions, 'list', 'audit-summary'],
  queryFn: ({ signal }) => call(api.GET('/audits/summary', { signal })),
});

/** atOnce is how many submissions one call takes. */
const atOnce = 1000;

async function inTurns(ids: readonly string[], post: (part: string[]) => Promise<ManyAnswer>): Promise<ManyAnswer> {
  const all: { done: string[]; failed: NonNullable<ManyAnswer['failed']> } = { done: [], failed: [] };
  for (const part of inParts(ids, atOnce)) {
    const answer = await post(part);
    all.done.push(...(answer.done ?? []));
    all.failed.push(...(answer.failed ?? []));
  }
  return all;
}

const once = () => ({ header: { 'Idempotency-Key': newIdempotencyKey() } });

/** actOnMany does the same with many submissions and says which did not take it. */
export function actOnMany(action: ManyAction, ids: readonly string[]): Promise<ManyAnswer> {
  return inTurns(ids, (part) => call(api.POST('/submissions/bulk', { params: once(), body: { ids: part, action } })));
}

/** resubmitMany submits many rejected or withdrawn versions again, with the same changes. */
export function resubmitMany(ids: readonly string[], audit: AuditChange): Promise<ManyAnswer> {
  return inTurns(ids, (part) =>
    call(api.POST('/submissions/resubmit', { params: once(), body: { ids: part, audit } })),
  );
}
