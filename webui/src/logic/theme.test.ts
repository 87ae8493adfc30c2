import { describe, expect, it } from 'vitest';
import { nextTheme, readTheme, shownMode } from './theme';

describe('the theme', () => {
  it('follows the device until somebody chooses', () => {
    expect(readTheme(null)).toBe('system');
    expect(readTheme('purple')).toBe('system');
    expect(shownMode('system', true)).toBe('dark');
    expect(shownMode('system', false)).toBe('light');
  });
  it('is what was chosen, whatever the device asks for', () => {
    expect(readTheme('dark')).toBe('dark');
    expect(shownMode('dark', false)).toBe('dark');
    expect(shownMode('light', true)).toBe('light');
  });
  it('goes round', () => {
    expect(nextTheme('system')).toBe('light');
    expect(nextTheme(nextTheme(nextTheme('system')))).toBe('system');
  });
});
