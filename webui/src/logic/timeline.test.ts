import { describe, expect, it } from 'vitest';
import { byDay, happeningLink, happeningTone, nearDay } from './timeline';

const at = (text: string) => new Date(text).toISOString();

describe('byDay', () => {
  it('puts what happened under its days on the reader’s clock', () => {
    const list = [
      { id: 'd', at: at('2026-11-20T23:59:00') },
      { id: 'c', at: at('2026-11-20T00:00:00') },
      { id: 'b', at: at('2026-11-19T23:59:59') },
      { id: 'a', at: at('2026-11-01T12:00:00') },
    ];
    expect(byDay(list).map((d) => [d.day, d.items.map((h) => h.id).join('')])).toEqual([
      ['2026-11-20', 'dc'],
      ['2026-11-19', 'b'],
      ['2026-11-01', 'a'],
    ]);
  });
  it('shows a thing once that two pages have', () => {
    const one = { id: 'a', at: at('2026-11-20T10:00:00') };
    expect(byDay([one, one])[0]?.items).toHaveLength(1);
  });
});

describe('nearDay', () => {
  it('knows today and yesterday, also over the end of a month', () => {
    const now = Date.parse(at('2026-03-01T08:00:00'));
    expect(nearDay(Date.parse(at('2026-03-01T00:00:00')), now)).toBe('today');
    expect(nearDay(Date.parse(at('2026-02-28T23:59:00')), now)).toBe('yesterday');
    expect(nearDay(Date.parse(at('2026-02-27T23:59:00')), now)).toBeNull();
  });
});

describe('a happening', () => {
  it('has a colour that says whether it is good news', () => {
    expect(happeningTone({ kind: 'withdrawn', state: '' })).toBe('bad');
    expect(happeningTone({ kind: 'submission_ended', state: 'released' })).toBe('good');
    expect(happeningTone({ kind: 'submission_ended', state: 'rejected' })).toBe('bad');
    expect(happeningTone({ kind: 'change_decided', state: 'nickname/refused' })).toBe('bad');
    expect(happeningTone({ kind: 'change_decided', state: 'nickname/effective' })).toBe('good');
    expect(happeningTone({ kind: 'labels', state: '' })).toBe('idle');
  });
  it('leads to what it is about', () => {
    expect(happeningLink({ kind: 'submission_ended', ref: '12/345' })).toBe('/rollouts/12/345');
    expect(happeningLink({ kind: 'bound', ref: 'abc' })).toBe('/links/abc');
    expect(happeningLink({ kind: 'note', ref: '7' })).toBe('');
    expect(happeningLink({ kind: 'link_used', ref: '' })).toBe('');
  });
});
