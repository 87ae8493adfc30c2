import { describe, expect, it } from 'vitest';
import { chained, inSight, rowsOf } from './pages';

const page = (next: string, ...items: string[]) => ({ items, next_cursor: next });

describe('chained', () => {
  it('begins with the first page and waits for it', () => {
    expect(chained([''], [], 500, 100)).toEqual(['']);
  });
  it('asks for the next page once its rows are wanted, one at a time', () => {
    expect(chained([''], [page('a')], 99, 100)).toEqual(['']);
    expect(chained([''], [page('a')], 100, 100)).toEqual(['', 'a']);
    expect(chained([''], [page('a')], 9000, 100)).toEqual(['', 'a']);
    expect(chained(['', 'a'], [page('a'), page('b')], 9000, 100)).toEqual(['', 'a', 'b']);
  });
  it('keeps pages that were read before when one scrolls up again', () => {
    expect(chained(['', 'a', 'b'], [page('a'), page('b'), page('c')], 10, 100)).toEqual(['', 'a', 'b']);
  });
  it('ends where the list ends', () => {
    expect(chained(['', 'a'], [page('a'), page('')], 9000, 100)).toEqual(['', 'a']);
  });
  it('forgets what came after a page that now ends elsewhere', () => {
    expect(chained(['', 'a', 'b'], [page('x'), page('b'), page('')], 150, 100)).toEqual(['', 'x']);
    expect(chained(['', 'a', 'b'], [page('x'), page('b'), page('')], 50, 100)).toEqual(['']);
  });
});

describe('inSight', () => {
  it('names the pages that hold what is seen', () => {
    const seen = { first: 190, last: 210 };
    expect([0, 1, 2, 3].map((i) => inSight(i, seen, 100))).toEqual([false, true, true, false]);
  });
});

describe('rowsOf', () => {
  it('stops at the first page that is not here', () => {
    expect(rowsOf([page('a', '1', '2'), undefined, page('', '5')])).toEqual(['1', '2']);
    expect(rowsOf([page('a', '1'), page('', '2')])).toEqual(['1', '2']);
  });
});
