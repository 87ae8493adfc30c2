import { describe, expect, it } from 'vitest';
import { shownSteps, trouble, troubleDetail } from './submission';

const error = { code: '', detail: '', errcode: 0, errmsg: '', rid: '', hint: '' };

describe('trouble', () => {
  it('says what happened, then what to do', () => {
    const s = { state: 'blocked' as const, reason: '', error: { ...error, detail: 'no filing', hint: 'File it.' } };
    expect(trouble(s)).toEqual({ happened: 'no filing', hint: 'File it.' });
  });
  it('tells a rejection once, without tags', () => {
    const s = { state: 'rejected' as const, reason: 'a\nb', error: { ...error, detail: 'a<br>b' } };
    expect(trouble(s)).toEqual({ happened: 'a b', hint: '' });
    expect(troubleDetail(s)).toBe('');
  });
  it('keeps the reason of an older rejection to itself once it goes on', () => {
    expect(trouble({ state: 'auditing', reason: 'a', error: null })).toEqual({ happened: '', hint: '' });
  });
});

describe('shownSteps', () => {
  it('leaves out what was passed over and keeps what is to come', () => {
    const names = (states: string[]) =>
      shownSteps(states.map((state, i) => ({ state: state as 'done', i }))).map((s) => s.i);
    expect(names(['done', 'pending', 'running', 'pending'])).toEqual([0, 2, 3]);
    expect(names(['pending', 'pending'])).toEqual([0, 1]);
  });
});
