import { describe, expect, it } from 'vitest';
import { axisTime, fillSteps, grid, stepTime, ticks } from './series';

const minute = 60_000;
const hour = 60 * minute;

describe('fillSteps', () => {
  it('puts a value in every step', () => {
    const { times, values } = fillSteps([{ at: 2 * minute + 5, value: 7 }], minute, minute, 4 * minute, 0);
    expect(times).toEqual([minute, 2 * minute, 3 * minute]);
    expect(values).toEqual([0, 7, 0]);
  });
});

describe('grid', () => {
  it.each([
    [0, [0, 1]],
    [1, [0, 1]],
    [3, [0, 1, 2, 3]],
    [4, [0, 2, 4]],
    [97, [0, 50, 100]],
    [1234, [0, 500, 1000, 1500]],
  ])('measures up to %d in few whole steps', (most, steps) => {
    expect(grid(most)).toEqual(steps);
  });
});

describe('ticks', () => {
  const from = new Date(2026, 2, 1, 13, 37).getTime();
  const grid = (step: number, n: number) => Array.from({ length: n }, (_, i) => from + i * step);

  it.each([
    ['an hour in minutes', minute, 60],
    ['a day in steps of ten minutes', 10 * minute, 144],
    ['a week in hours', hour, 168],
  ])('labels %s at round times, as many as there is room for', (_, step, n) => {
    for (const room of [3, 5, 8, 14]) {
      const times = grid(step, n);
      const chosen = [...ticks(times, room)];
      expect(chosen.length).toBeGreaterThan(0);
      expect(chosen.length).toBeLessThanOrEqual(room + 1);
      const starts = chosen.map((i) => new Date(times[i] ?? 0));
      for (const at of starts) expect(at.getMinutes() % 5 === 0 || step > 5 * minute || room > 8).toBe(true);
    }
  });
  it('has nothing to say of nothing', () => {
    expect(ticks([], 5).size).toBe(0);
  });
});

describe('times of a chart', () => {
  it('name midnight by its date, and other times by the clock', () => {
    expect(axisTime(new Date(2026, 2, 1).getTime(), 'zh-CN')).toBe('3/1');
    expect(axisTime(new Date(2026, 2, 1).getTime(), 'en')).toBe('Mar 1');
    expect(axisTime(new Date(2026, 2, 1, 9, 5).getTime(), 'zh-CN')).toBe('09:05');
  });
  it('name a step from its beginning to its end', () => {
    expect(stepTime(new Date(2026, 2, 1, 9, 0).getTime(), hour, 'en')).toBe('Mar 1 Sun 09:00–10:00');
  });
});
