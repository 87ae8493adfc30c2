import type { Page } from '../api/types';

type Known = Page<unknown> | undefined;

/**
 * chained gives the cursors of the pages from the first one down to the row `until`, one page further than is known at a
 * time. Where a page ends elsewhere than it did, what came after it is forgotten: it would repeat or leave out rows.
 */
export function chained(cursors: readonly string[], pages: readonly Known[], until: number, size: number): string[] {
  const kept = [''];
  for (let i = 0; ; i++) {
    const next = pages[i]?.next_cursor;
    if (!next) return kept;
    const same = cursors[i + 1] === next;
    if (!same && until < (i + 1) * size) return kept;
    kept.push(next);
    if (!same) return kept;
  }
}

export interface Seen {
  first: number;
  last: number;
}

/** inSight reports whether page i holds a row that is seen; all pages but the last are full. */
export function inSight(i: number, { first, last }: Seen, size: number): boolean {
  return i >= Math.floor(first / size) && i <= Math.floor(last / size);
}

/** rowsOf are the rows of the pages that are here, up to the first one that is not. */
export function rowsOf<T>(pages: readonly (Page<T> | undefined)[]): T[] {
  const missing = pages.indexOf(undefined);
  return (missing < 0 ? pages : pages.slice(0, missing)).flatMap((page) => page?.items ?? []);
}
