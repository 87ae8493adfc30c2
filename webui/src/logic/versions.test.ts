import { describe, expect, it } from 'vitest';
import { most, shares } from './versions';

describe('shares', () => {
  const rows = shares([
    { user_version: '', template_id: null, merchants: 1 },
    { user_version: '2.3.0', template_id: 7, merchants: 5 },
    { user_version: '2.3.0', template_id: null, merchants: 1 },
    { user_version: '2.2.0', template_id: 6, merchants: 1 },
  ]);
  it('counts a version once whatever it was made of, and what is not known last', () => {
    expect(rows.map((r) => [r.version, r.merchants, r.percent])).toEqual([
      ['2.3.0', 6, 75],
      ['2.2.0', 1, 13],
      ['', 1, 13],
    ]);
    expect(most(rows)?.version).toBe('2.3.0');
  });
  it('of nobody is nothing', () => {
    expect(shares([])).toEqual([]);
    expect(most([{ version: '', merchants: 3, percent: 100 }])).toBeUndefined();
  });
});
