import { describe, expect, it } from 'vitest';
import { argsText, bytes, jobActions, jobStates, jobTone, schema } from './system';

describe('bytes', () => {
  it('uses the largest unit of which there is one', () => {
    expect(bytes(0, 'en')).toBe('0 bytes');
    expect(bytes(999, 'en')).toBe('999 bytes');
    expect(bytes(1536, 'en')).toBe('1.5 kB');
    expect(bytes(25 * 1024 * 1024, 'en')).toBe('25 MB');
    expect(bytes(3.25 * 1024 ** 3, 'en')).toBe('3.3 GB');
  });
});

describe('jobActions', () => {
  it('leaves alone what is worked or done', () => {
    expect(jobActions('running')).toEqual([]);
    expect(jobActions('completed')).toEqual([]);
    expect(jobActions('discarded')).toEqual(['retry']);
    expect(jobActions('retryable')).toEqual(['retry', 'discard']);
  });
  it('knows a tone for each state', () => {
    for (const state of jobStates) expect(jobTone(state)).toBeTruthy();
  });
});

describe('schema', () => {
  it('is the newest applied step of each source', () => {
    const at = '2026-01-01T00:00:00Z';
    expect(
      schema([
        { source: 'wxsteward', version: 1, name: 'a', applied_at: at },
        { source: 'wxsteward', version: 3, name: 'c', applied_at: at },
        { source: 'wxsteward', version: 4, name: 'd', applied_at: null },
        { source: 'river', version: 6, name: 'x', applied_at: at },
      ]),
    ).toEqual([
      { source: 'wxsteward', version: 3, toCome: 1 },
      { source: 'river', version: 6, toCome: 0 },
    ]);
  });
});

describe('argsText', () => {
  it('is short, and nothing for what is no object', () => {
    expect(argsText({ appid: 'wx1', n: 2, empty: '', none: null, nested: {} })).toBe('appid=wx1 n=2');
    expect(argsText(null)).toBe('');
    expect(argsText('x')).toBe('');
  });
});
