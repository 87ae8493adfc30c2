import { describe, expect, it } from 'vitest';
import { longAnswer, progress, tally } from './delivery';

describe('tally', () => {
  it('counts by state, the worst first', () => {
    expect(tally([{ state: 'delivered' }, { state: 'dead' }, { state: 'delivered' }])).toEqual([
      { state: 'dead', n: 1 },
      { state: 'delivered', n: 2 },
    ]);
    expect(tally([])).toEqual([]);
  });
});

describe('progress', () => {
  it('goes from nothing to all, whatever else waits', () => {
    expect(progress(100, 100)).toBe(0);
    expect(progress(100, 25)).toBe(75);
    expect(progress(100, 140)).toBe(0);
    expect(progress(0, 3)).toBe(100);
  });
});

describe('longAnswer', () => {
  it('cuts pages of HTML, not a word', () => {
    expect(longAnswer('success')).toBe(false);
    expect(longAnswer('x'.repeat(301))).toBe(true);
    expect(longAnswer('\n'.repeat(6))).toBe(true);
  });
});
