import { describe, expect, it } from 'vitest';
import { confirmable, mostBytes, percent, size, stepOf, unfit } from './importing';

const run = { state: 'completed', dry_run: true, bytes: 100, bytes_done: 100, changed: 3, name: 'shops.csv' };

describe('confirmable', () => {
  const held = { name: 'shops.csv', size: 100 };
  it.each([
    [run, held, 'ready'],
    [run, null, 'again'],
    [run, { name: 'shops.csv', size: 101 }, 'other'],
    [run, { name: 'other.csv', size: 100 }, 'other'],
    [{ ...run, changed: 0 }, held, 'nothing'],
    [{ ...run, state: 'running' }, held, 'no'],
    [{ ...run, state: 'failed' }, held, 'no'],
    [{ ...run, dry_run: false }, held, 'no'],
    [{ ...run, name: 'x'.repeat(200) }, { name: 'x'.repeat(250), size: 100 }, 'ready'],
  ] as const)('lets only the file of the trial run be imported', (about, file, want) => {
    expect(confirmable(about, file)).toBe(want);
  });
});

describe('percent', () => {
  it('is 100 only at the end', () => {
    expect(percent({ state: 'running', bytes: 1000, bytes_done: 999 })).toBe(99);
    expect(percent({ state: 'running', bytes: 1000, bytes_done: 1000 })).toBe(99);
    expect(percent({ state: 'running', bytes: 0, bytes_done: 0 })).toBe(0);
    expect(percent({ state: 'completed', bytes: 1000, bytes_done: 10 })).toBe(100);
  });
});

describe('files', () => {
  it('are refused before they are sent when the server would not take them', () => {
    expect(unfit(0)).toBe('empty');
    expect(unfit(mostBytes)).toBeNull();
    expect(unfit(mostBytes + 1)).toBe('tooLarge');
  });
  it('have a size that people can read', () => {
    expect(size(12, 'en')).toBe('12 byte');
    expect(size(1536, 'en')).toBe('1.5 kB');
    expect(size(20 * 1024 * 1024, 'en')).toBe('20 MB');
  });
});

describe('stepOf', () => {
  it('follows from what kind of run is shown', () => {
    expect(stepOf(undefined)).toBe('file');
    expect(stepOf({ dry_run: true })).toBe('check');
    expect(stepOf({ dry_run: false })).toBe('result');
  });
});
