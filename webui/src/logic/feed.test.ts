import { describe, expect, it } from 'vitest';
import { begin, heard, more, newer, reread, toTop } from './feed';

interface Row {
  id: string;
  state?: string;
}
const rows = (...ids: number[]): Row[] => ids.map((id) => ({ id: String(id) }));
const page = (items: Row[], next_cursor = '') => ({ items, next_cursor });
const ids = (list: Row[]) => list.map((row) => Number(row.id));

describe('newer', () => {
  it('compares ids as numbers', () => {
    expect(newer('10', '9')).toBe(true);
    expect(newer('1882365509345738761', '1882365509345738760')).toBe(true);
    expect(newer('5', '5')).toBe(false);
  });
});

describe('feed', () => {
  const three = begin(page(rows(3, 2, 1), 'c1'));

  it('lets new rows rise while the reader is at the top', () => {
    const feed = heard(three, page(rows(5, 4, 3), 'c3'), true);
    expect(ids(feed.shown)).toEqual([5, 4, 3, 2, 1]);
    expect([...feed.risen]).toEqual(['5', '4']);
    expect(feed.next).toBe('c1');
  });
  it('holds them back otherwise, until they are asked for', () => {
    let feed = heard(three, page(rows(4, 3, 2), 'c2'), false);
    feed = heard(feed, page(rows(5, 4, 3), 'c3'), false);
    expect(ids(feed.shown)).toEqual([3, 2, 1]);
    expect(ids(feed.waiting)).toEqual([5, 4]);
    expect(ids(toTop(feed).shown)).toEqual([5, 4, 3, 2, 1]);
  });
  it('starts anew from the top when more came than one page holds', () => {
    const feed = heard(three, page(rows(9, 8, 7), 'c7'), false);
    expect(ids(feed.shown)).toEqual([3, 2, 1]);
    const top = toTop(heard(feed, page(rows(10, 9, 8), 'c8'), false));
    expect(ids(top.shown)).toEqual([10, 9, 8, 7]);
    expect(top.next).toBe('c7');
    expect(top.apart).toBe(false);
  });
  it('takes changes of rows, and lets go of those that no longer match', () => {
    const feed = heard(three, page([{ id: '3', state: 'handled' }, { id: '1' }], 'c1'), true);
    expect(feed.shown).toEqual([{ id: '3', state: 'handled' }, { id: '1' }]);
    expect(heard(three, page([]), true).shown).toEqual([]);
  });
  it('keeps rows that are older than the page it hears', () => {
    const long = more(three, page(rows(0), ''));
    expect(ids(heard(long, page(rows(3, 2, 1), 'c1'), true).shown)).toEqual([3, 2, 1, 0]);
  });
  it('appends pages without repeating a row', () => {
    expect(ids(more(three, page(rows(1, 0), 'c0')).shown)).toEqual([3, 2, 1, 0]);
  });
  it('rereads an older page without touching others', () => {
    const long = more(three, page(rows(-1, -2), ''));
    const feed = reread(
      { ...long, shown: rows(9, 8, 7, 6, 5) },
      page([{ id: '7', state: 'x' }, { id: '6' }], 'c6'),
      '8',
    );
    expect(feed.shown).toEqual([{ id: '9' }, { id: '8' }, { id: '7', state: 'x' }, { id: '6' }, { id: '5' }]);
  });
  it('fills an empty list', () => {
    expect(ids(heard(begin(page(rows())), page(rows(2, 1)), false).shown)).toEqual([2, 1]);
  });
  it('does not grow without end at the top', () => {
    let feed = begin(page(rows(0), ''));
    for (let n = 1; n < 450; n++) feed = heard(feed, page(rows(n, n - 1), 'c'), true);
    expect(feed.shown.length).toBeLessThanOrEqual(400);
    expect(feed.next).toBe('c');
  });
});
