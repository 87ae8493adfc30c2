import { describe, expect, it } from 'vitest';
import {
  askedOf,
  conflict,
  exportAddress,
  failedTarget,
  labelChange,
  narrowed,
  nextNightly,
  targetSize,
  toggled,
  topLabels,
} from './directory';

const none = { q: '', status: '', kind: '', biz_id: '', label: '', func_scope: '' };

describe('askedOf', () => {
  it('lets only through what the server knows', () => {
    expect(askedOf({ ...none, q: ' 咖啡 ', status: 'gone', kind: 'official', func_scope: '18' })).toEqual({
      q: '咖啡',
      kind: 'official',
      func_scope: 18,
    });
    for (const scope of ['x', '-1', '0', '1.5', '1e99', ' ']) {
      expect(askedOf({ ...none, func_scope: scope }).func_scope).toBeUndefined();
    }
  });
  it('knows when nothing is left out', () => {
    expect(narrowed(askedOf(none))).toBe(false);
    expect(narrowed(askedOf({ ...none, label: 'vip' }))).toBe(true);
  });
  it('is the filter of the export too', () => {
    expect(exportAddress(askedOf(none))).toBe('/api/v1/authorizers/export');
    expect(exportAddress(askedOf({ ...none, q: 'a&b=c', label: '华东' }))).toBe(
      '/api/v1/authorizers/export?q=a%26b%3Dc&label=%E5%8D%8E%E4%B8%9C',
    );
  });
});

describe('bulk changes', () => {
  it('name merchants, or say how they are found', () => {
    expect(labelChange({ appids: ['wx1'] }, ['vip'], [])).toEqual({ appids: ['wx1'], add: ['vip'], remove: [] });
    const filter = askedOf({ ...none, status: 'authorized' });
    expect(labelChange({ filter, total: 9 }, [], ['old'])).toEqual({ filter, add: [], remove: ['old'] });
    expect(targetSize({ filter, total: 9 })).toBe(9);
    expect(targetSize({ appids: ['a', 'b'] })).toBe(2);
  });
  it('are repeated for those that failed only', () => {
    expect(failedTarget({ failed: [] })).toBeNull();
    expect(failedTarget({ failed: null } as unknown as { failed: [] })).toBeNull();
    expect(failedTarget({ failed: [{ appid: 'wx2', code: 'unavailable', detail: '' }] })).toEqual({
      appids: ['wx2'],
      again: true,
    });
  });
  it('do not add and remove one label', () => {
    expect(conflict(['a', 'b'], ['b'])).toBe('b');
    expect(conflict(['a'], ['b'])).toBeUndefined();
  });
});

describe('labels', () => {
  const labels = ['a', 'b', 'c', 'd'].map((label, i) => ({ label, count: i % 3 }));
  it('come with the most frequent first, and the chosen one', () => {
    expect(topLabels(labels, 2, '').map((l) => l.label)).toEqual(['c', 'b']);
    expect(topLabels(labels, 2, 'a').map((l) => l.label)).toEqual(['c', 'b', 'a']);
    expect(topLabels(labels, 2, 'gone').at(-1)).toEqual({ label: 'gone', count: 0 });
  });
});

describe('toggled', () => {
  it('leaves the set it is given alone', () => {
    const set = new Set(['a', 'b']);
    expect([...toggled(set, ['b', 'c'], true)]).toEqual(['a', 'b', 'c']);
    expect([...toggled(set, ['b', 'c'], false)]).toEqual(['a']);
    expect(set.size).toBe(2);
  });
});

describe('nextNightly', () => {
  const at = (iso: string, zone: string) => new Date(nextNightly(Date.parse(iso), zone) ?? 0).toISOString();
  it('is half past three of the server, wherever the reader is', () => {
    expect(at('2026-11-20T10:00:20Z', 'Asia/Shanghai')).toBe('2026-11-20T19:30:00.000Z');
    expect(at('2026-11-20T19:29:59Z', 'Asia/Shanghai')).toBe('2026-11-20T19:30:00.000Z');
    expect(at('2026-11-20T19:30:00Z', 'Asia/Shanghai')).toBe('2026-11-21T19:30:00.000Z');
    expect(at('2026-11-20T10:00:00Z', 'UTC')).toBe('2026-11-21T03:30:00.000Z');
  });
  it('stays at that hour when the clock is put forward or back', () => {
    expect(at('2026-03-28T12:00:00Z', 'Europe/Berlin')).toBe('2026-03-29T01:30:00.000Z');
    expect(at('2026-10-24T12:00:00Z', 'Europe/Berlin')).toBe('2026-10-25T02:30:00.000Z');
  });
  it('is not known for a zone that the browser does not know', () => {
    expect(nextNightly(Date.now(), 'Local/Nowhere')).toBeNull();
  });
});
