import type { AuditFilter } from '../api/admin';
import { oneOf } from './oneof';
import { type Span, spanStart, spans, validTime } from './span';

export const auditFilters = ['user', 'action', 'target', 'outcome', 'span', 'since', 'until', 'q'] as const;
export type AuditAddress = Record<(typeof auditFilters)[number], string>;

export const outcomes = ['ok', 'refused', 'failed'] as const;
export const outcomeTones = { ok: 'good', refused: 'action', failed: 'bad' } as const;

/** auditSpan is how the time is chosen: a span until now, from one moment to another, or all. */
export function auditSpan(address: AuditAddress): Span | 'custom' | 'all' {
  if (address.since || address.until || address.span === 'custom') return 'custom';
  return oneOf(address.span, spans) ?? 'all';
}

/** auditFilter is what the server is asked for; now is kept by the caller, so that a list does not begin anew at each look. */
export function auditFilter(address: AuditAddress, now: number): AuditFilter {
  const span = auditSpan(address);
  const all: AuditFilter = {
    user: address.user,
    action: address.action,
    target: address.target,
    outcome: oneOf(address.outcome, outcomes),
    from: span === 'custom' ? validTime(address.since) : span === 'all' ? undefined : spanStart(span, now),
    to: span === 'custom' ? validTime(address.until) : undefined,
    q: address.q,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value)) as AuditFilter;
}

/** auditCsv is where the file of the same entries is. */
export function auditCsv(filter: AuditFilter): string {
  const query = new URLSearchParams(filter as Record<string, string>).toString();
  return `/api/v1/audit-log.csv${query && `?${query}`}`;
}
