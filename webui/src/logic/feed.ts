interface Row {
  id: string;
}

interface Page<T> {
  items: T[] | null;
  next_cursor: string;
}

/**
 * Feed is a list, newest first, that grows at both ends: by pages of older rows, and by rows that have just come. These
 * wait while the reader is in the middle, so that nothing moves under the eyes.
 */
export interface Feed<T> {
  shown: T[];
  waiting: T[];
  /** next is the cursor of the page after the last row shown; empty after the last. */
  next: string;
  /** apart says that rows between waiting and shown were not seen; then waiting replaces shown, and after replaces next. */
  apart: boolean;
  after: string;
  /** risen are the ids that came to the top last, for a moment's highlight. */
  risen: ReadonlySet<string>;
}

/** Beyond this many rows on top of each other a feed starts anew from its top. */
const mostWaiting = 500;
const mostShown = 400;

/** newer compares ids, which are numbers too long for JavaScript. */
export function newer(a: string, b: string): boolean {
  return a.length === b.length ? a > b : a.length > b.length;
}

export function begin<T extends Row>(page: Page<T>): Feed<T> {
  return { shown: page.items ?? [], waiting: [], next: page.next_cursor, apart: false, after: '', risen: new Set() };
}

/** renew takes what a page tells about rows that are there: changed ones change, and ones that are no longer in it go. */
function renew<T extends Row>(rows: T[], items: T[], covered: (id: string) => boolean): T[] {
  const now = new Map(items.map((row) => [row.id, row]));
  return rows.flatMap((row) => {
    const found = now.get(row.id);
    if (found) return [found];
    return covered(row.id) ? [] : [row];
  });
}

/** heard takes the newest page. rise lets new rows to the top at once. */
export function heard<T extends Row>(feed: Feed<T>, page: Page<T>, rise: boolean): Feed<T> {
  const items = page.items ?? [];
  const newest = feed.waiting[0]?.id ?? feed.shown[0]?.id;
  if (newest === undefined) return { ...begin(page), risen: new Set(items.map((row) => row.id)) };
  const last = items.at(-1)?.id;
  const covered = (id: string) => page.next_cursor === '' || (last !== undefined && !newer(last, id));
  const fresh = items.filter((row) => newer(row.id, newest));
  const joined = fresh.length < items.length || page.next_cursor === '';
  const shown = renew(feed.shown, items, covered);
  let next: Feed<T>;
  if (!joined || feed.waiting.length + fresh.length > mostWaiting) {
    next = { ...feed, shown, waiting: items, apart: true, after: page.next_cursor };
  } else {
    next = { ...feed, shown, waiting: [...fresh, ...renew(feed.waiting, items, covered)] };
  }
  if (!rise || next.waiting.length === 0) return next;
  next = toTop(next);
  return next.shown.length > mostShown && items.length > 0 ? { ...begin(page), risen: next.risen } : next;
}

/** toTop shows the rows that wait. */
export function toTop<T extends Row>(feed: Feed<T>): Feed<T> {
  const risen = new Set(feed.waiting.map((row) => row.id));
  if (feed.apart) return { shown: feed.waiting, waiting: [], next: feed.after, apart: false, after: '', risen };
  return { ...feed, shown: [...feed.waiting, ...feed.shown], waiting: [], risen };
}

/** more appends the next page. */
export function more<T extends Row>(feed: Feed<T>, page: Page<T>): Feed<T> {
  const known = new Set(feed.shown.map((row) => row.id));
  const items = (page.items ?? []).filter((row) => !known.has(row.id));
  return { ...feed, shown: [...feed.shown, ...items], next: page.next_cursor };
}

/** reread takes an older page anew; before is the id of the last row in front of it. */
export function reread<T extends Row>(feed: Feed<T>, page: Page<T>, before: string): Feed<T> {
  const items = page.items ?? [];
  const last = items.at(-1)?.id;
  const covered = (id: string) =>
    newer(before, id) && (page.next_cursor === '' || (last !== undefined && !newer(last, id)));
  return { ...feed, shown: renew(feed.shown, items, covered) };
}
