import { describe, expect, it } from 'vitest';
import { changedNames, editedSince, notSent, withTheirs } from './edited';

const base = { server: 'a', webview: 'w' };

describe('a form of texts', () => {
  it('knows what was edited', () => {
    expect(changedNames(base, base)).toEqual([]);
    expect(changedNames(base, { ...base, webview: '' })).toEqual(['webview']);
  });
  it('keeps what was edited while it was being saved', () => {
    const sent = { server: 'b ', webview: 'w' };
    const saved = { server: 'b', webview: 'w' };
    expect(editedSince(sent, sent, saved)).toEqual(saved);
    expect(editedSince(sent, { ...sent, webview: 'x' }, saved)).toEqual({ server: 'b', webview: 'x' });
  });
  it('empties what was sent and keeps what was typed meanwhile', () => {
    expect(notSent({ key: 'one' }, { key: 'one' })).toEqual({});
    expect(notSent({ key: 'one' }, { key: 'one', token: 'two' })).toEqual({ token: 'two' });
  });
});

describe('what others save meanwhile', () => {
  const stored = { server: 'a\nb', webview: 'w' };
  it('is shown where nothing was edited', () => {
    expect(withTheirs(base, base, stored)).toEqual({ base: stored, now: stored });
    const now = { ...base, webview: 'x' };
    expect(withTheirs(base, now, stored)).toEqual({ base: stored, now: { server: 'a\nb', webview: 'x' } });
  });
  it('is no change of ours where both came to the same', () => {
    expect(withTheirs(base, stored, stored)).toEqual({ base: stored, now: stored });
  });
  it('is in dispute where both edited: the base stays, so that saving can be refused', () => {
    const now = { server: 'a\nc', webview: 'w' };
    const both = withTheirs(base, now, { server: 'a\nb', webview: 'v' });
    expect(both).toEqual({ base: { server: 'a', webview: 'v' }, now: { server: 'a\nc', webview: 'v' } });
    expect(changedNames({ server: 'a\nb', webview: 'v' }, both.base)).toEqual(['server']);
  });
});
