import { describe, expect, it } from 'vitest';
import { changedParts, editedSince, ownOf, sameOwn } from './owndata';

const stored = ownOf({ biz_ids: ['shop-1'], labels: ['vip'], ext: { shop: '1' } });

describe('own data', () => {
  it('is laid out as text to be edited', () => {
    expect(stored).toEqual({ bizIds: ['shop-1'], labels: ['vip'], ext: '{\n  "shop": "1"\n}' });
    expect(ownOf({ biz_ids: null, labels: null, ext: {} } as never)).toEqual({ bizIds: [], labels: [], ext: '{}' });
  });
  it('is the same only in the same order', () => {
    expect(sameOwn(stored, { ...stored, labels: ['vip'] })).toBe(true);
    expect(sameOwn({ ...stored, labels: ['a', 'b'] }, { ...stored, labels: ['b', 'a'] })).toBe(false);
  });
  it('keeps what was edited while it was being saved', () => {
    const sent = { ...stored, labels: ['vip', 'new'], ext: '{"shop":"2"}' };
    const saved = ownOf({ biz_ids: ['shop-1', 'shop-9'], labels: ['vip', 'new'], ext: { shop: '2' } });
    expect(editedSince(sent, sent, saved)).toEqual(saved);
    expect(editedSince(sent, { ...sent, labels: ['vip', 'new', 'newer'] }, saved)).toEqual({
      ...saved,
      labels: ['vip', 'new', 'newer'],
    });
    expect(editedSince(sent, { ...sent, ext: '{"shop":"3"}' }, saved)).toEqual({ ...saved, ext: '{"shop":"3"}' });
  });
  it('sends only what was edited, so that others lose nothing', () => {
    expect(changedParts(stored, { ...stored, labels: ['vip', 'new'] }, { shop: '1' })).toEqual({
      labels: ['vip', 'new'],
    });
    expect(changedParts(stored, { ...stored, ext: '{"shop":"2"}' }, { shop: '2' })).toEqual({ ext: { shop: '2' } });
    expect(changedParts(stored, { ...stored, bizIds: [] }, { shop: '1' })).toEqual({ biz_ids: [] });
  });
});
