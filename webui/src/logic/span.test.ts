import { describe, expect, it } from 'vitest';
import { fromLocalInput, localInput, spanStart, validTime } from './span';

describe('span', () => {
  it('begins as long ago as it says', () => {
    expect(spanStart('24h', Date.UTC(2026, 2, 2))).toBe('2026-03-01T00:00:00.000Z');
  });
  it('goes through an input and back', () => {
    const iso = '2026-03-01T05:06:00.000Z';
    expect(fromLocalInput(localInput(iso))).toBe(iso);
    expect(localInput('nonsense')).toBe('');
    expect(fromLocalInput('')).toBe('');
  });
  it('lets only times through', () => {
    expect(validTime('2026-03-01T05:06:00Z')).toBe('2026-03-01T05:06:00.000Z');
    expect(validTime('yesterday')).toBeUndefined();
    expect(validTime('')).toBeUndefined();
  });
});
