import { describe, expect, it } from 'vitest';
import { type AuditAddress, auditCsv, auditFilter, auditSpan } from './auditlog';

const none: AuditAddress = { user: '', action: '', target: '', outcome: '', span: '', since: '', until: '', q: '' };
const now = Date.parse('2026-03-02T12:00:00Z');

describe('auditFilter', () => {
  it('asks for nothing that was not chosen', () => {
    expect(auditFilter(none, now)).toEqual({});
    expect(auditCsv({})).toBe('/api/v1/audit-log.csv');
  });

  it('lets no word through that the server would refuse', () => {
    expect(auditFilter({ ...none, outcome: 'maybe', span: 'century', since: 'yesterday' }, now)).toEqual({});
  });

  it('counts a span back from now, and takes two moments as they are', () => {
    expect(auditFilter({ ...none, span: '24h' }, now)).toEqual({ from: '2026-03-01T12:00:00.000Z' });
    const both = { ...none, span: '24h', since: '2026-02-01T00:00:00Z', until: '2026-02-02T00:00:00Z' };
    expect(auditSpan(both)).toBe('custom');
    expect(auditFilter(both, now)).toEqual({ from: '2026-02-01T00:00:00.000Z', to: '2026-02-02T00:00:00.000Z' });
  });

  it('writes the same into the address of the file', () => {
    const filter = auditFilter({ ...none, user: 'key:a&b', outcome: 'refused', q: '王 五' }, now);
    expect(auditCsv(filter)).toBe('/api/v1/audit-log.csv?user=key%3Aa%26b&outcome=refused&q=%E7%8E%8B+%E4%BA%94');
  });
});
