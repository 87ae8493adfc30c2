import { describe, expect, it } from 'vitest';
import { commandOf } from './shortcuts';

const key = (key: string, more = {}) => ({ key, ctrl: false, alt: false, typing: false, ...more });

describe('commandOf', () => {
  it('opens the palette, also from a field', () => {
    expect(commandOf(key('k', { ctrl: true, typing: true }), false)).toBe('palette');
    expect(commandOf(key('/'), false)).toBe('palette');
  });
  it('goes to a page after g', () => {
    expect(commandOf(key('g'), false)).toBe('wait');
    expect(commandOf(key('m'), true)).toEqual({ go: '/authorizers' });
    expect(commandOf(key('m'), false)).toBeNull();
  });
  it('leaves alone who types, and the browser’s own keys', () => {
    for (const k of ['g', '?', '/']) {
      expect(commandOf(key(k, { typing: true }), false)).toBeNull();
      expect(commandOf(key(k, { ctrl: true }), false)).toBeNull();
    }
  });
});
