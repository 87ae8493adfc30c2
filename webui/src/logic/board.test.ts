import { describe, expect, it } from 'vitest';
import { changeFrom, editForm, isInterval, paceOf, percentages, wrongIn } from './board';

const hour = 3_600_000;

describe('paceOf', () => {
  const rollout = {
    state: 'running' as const,
    counts: { released: 8, failed: 2, auditing: 30 },
    total: 40,
    created_at: new Date(0).toISOString(),
    start_at: null,
  };
  it('tells how many come to an end in an hour, and when the last will', () => {
    expect(paceOf(rollout, 2 * hour)).toEqual({ perHour: 5, endsAt: 8 * hour });
  });
  it('says nothing after few merchants, when all are through, or while it is paused', () => {
    expect(paceOf({ ...rollout, counts: { released: 4 } }, hour)).toBeNull();
    expect(paceOf({ ...rollout, total: 10 }, hour)).toBeNull();
    expect(paceOf({ ...rollout, state: 'paused' }, hour)).toBeNull();
  });
});

describe('percentages', () => {
  it('reads what people write', () => {
    expect(percentages('10, 50，100%')).toEqual([10, 50, 100]);
    expect(percentages(' ')).toEqual([]);
  });
  it('refuses what does not grow, is no whole number or above 100', () => {
    for (const text of ['50, 10', '10, 10', '0', '101', '1.5', 'x']) expect(percentages(text)).toBeNull();
  });
});

describe('isInterval', () => {
  it('takes what the server takes', () => {
    for (const text of ['2h', '90s', '1h30m', '1.5h']) expect(isInterval(text)).toBe(true);
    for (const text of ['', '2', '2 h', '0s', '-1h', '1d']) expect(isInterval(text)).toBe(false);
  });
});

describe('changeFrom', () => {
  const before = editForm({
    name: 'autumn',
    spec: { release: { mode: 'auto', window: '* 2-5 * * *' }, strategy: { canary: 1 } } as never,
  });
  it('sends nothing that was not touched', () => {
    expect(changeFrom(before, before)).toEqual({});
  });
  it('sends a part as a whole', () => {
    expect(changeFrom({ ...before, gray: '10 50', interval: '2h' }, before)).toEqual({
      release: { mode: 'auto', window: '* 2-5 * * *', gray: [10, 50], gray_interval: '2h' },
    });
    expect(changeFrom({ ...before, batch: '20', failed: '0' }, before)).toEqual({
      strategy: { canary: 1, batch_size: 20, max_failed_percent: 0 },
    });
  });
  it('keeps what belongs to a part and is not edited', () => {
    const taking = editForm({
      name: 'autumn',
      spec: { strategy: { canary: 1, withdraw_running: true } } as never,
    });
    expect(changeFrom({ ...taking, batch: '20' }, taking)).toEqual({
      strategy: { canary: 1, batch_size: 20, withdraw_running: true },
    });
  });
  it('finds what the server would refuse', () => {
    expect(wrongIn(before)).toEqual([]);
    expect(
      wrongIn({ ...before, window: 'x', gray: '5 1', interval: 'x', canary: '-1', batch: 'x', failed: '101' }),
    ).toEqual(['window', 'gray', 'interval', 'canary', 'batch', 'failed']);
  });
});
