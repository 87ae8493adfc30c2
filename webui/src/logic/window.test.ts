import { describe, expect, it } from 'vitest';
import { readWindow } from './window';

describe('readWindow', () => {
  it('reads hours in a row on every day', () => {
    expect(readWindow('* 2-5 * * *')).toEqual({ weekdays: [0, 1, 2, 3, 4, 5, 6], hours: [[2, 5]], brief: false });
  });
  it('reads lists, steps and names', () => {
    expect(readWindow('* 0-1,22/1 * * mon-fri')).toEqual({
      weekdays: [1, 2, 3, 4, 5],
      hours: [
        [0, 1],
        [22, 23],
      ],
      brief: false,
    });
  });
  it('tells a window of single minutes, which "0 2 * * *" is', () => {
    expect(readWindow('0 2 * * *')?.brief).toBe(true);
    expect(readWindow('0-59 2 * * *')?.brief).toBe(false);
  });
  it('has no words for days of the month', () => {
    expect(readWindow('* * 1 * *')?.weekdays).toBeNull();
  });
  it('refuses what the server refuses', () => {
    for (const wrong of ['', '* 2-5 * *', '* 24 * * *', '60 * * * *', '* 5-2 * * *', '* */0 * * *', '* 2- * * *']) {
      expect([wrong, readWindow(wrong)]).toEqual([wrong, null]);
    }
    expect(readWindow('* 2 * * 7')).toBeNull();
    expect(readWindow('每天 2 点')).toBeNull();
  });
});
