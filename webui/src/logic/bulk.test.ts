import { describe, expect, it } from 'vitest';
import { doable, inParts } from './bulk';

describe('doable', () => {
  it('offers each action for those that take it', () => {
    const picked = [
      { id: '1', state: 'approved' },
      { id: '2', state: 'auditing' },
      { id: '3', state: 'released' },
    ];
    expect(doable(picked)).toEqual([
      { action: 'release', ids: ['1'] },
      { action: 'speed-up', ids: ['2'] },
      { action: 'withdraw', ids: ['2'] },
      { action: 'cancel', ids: ['1', '2'] },
    ]);
  });
  it('lets a gray release go on to its next step', () => {
    expect(doable([{ id: '1', state: 'releasing', gray: { percentage: 10 } }])).toEqual([
      { action: 'release', ids: ['1'] },
      { action: 'cancel', ids: ['1'] },
    ]);
    expect(doable([{ id: '1', state: 'releasing', gray: null }])).toEqual([]);
  });
});

describe('inParts', () => {
  it('leaves nothing out', () => {
    expect(inParts([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]]);
    expect(inParts([], 2)).toEqual([]);
  });
});
