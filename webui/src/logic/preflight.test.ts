import { describe, expect, it } from 'vitest';
import type { Blocker, PreflightItem } from '../api/types';
import { lackingDomains, lackingKeys, onceOf, withKeys } from './preflight';

const item = (appid: string, ...blockers: Partial<Blocker>[]): PreflightItem => ({
  appid,
  nick_name: '',
  blockers: blockers.map((b) => ({ code: '', detail: '', hint: '', ...b })),
});

describe('what a preflight found lacking', () => {
  const items = [
    item('wx1', { code: 'domain_not_on_platform', kind: 'server', names: ['b.example.com', 'a.example.com'] }),
    item('wx2', { code: 'domain_not_on_platform', kind: 'server', names: ['a.example.com'] }),
    item(
      'wx3',
      { code: 'domain_not_on_platform', kind: 'webview', names: ['h5.example.com'] },
      { code: 'icp_missing' },
    ),
    item('wx4', { code: 'privacy_missing', names: ['Location'] }),
    { appid: 'wx5', nick_name: '', blockers: null },
  ];
  it('is gathered over all merchants, each name once', () => {
    expect(lackingDomains(items, 'server')).toEqual(['a.example.com', 'b.example.com']);
    expect(lackingDomains(items, 'webview')).toEqual(['h5.example.com']);
    expect(lackingKeys(items)).toEqual(['Location']);
  });
  it('gets rows of its own, and what is there stays', () => {
    const rows = [{ privacy_key: 'Location', privacy_text: 'to find shops' }];
    expect(withKeys(rows, ['Location', 'Album'])).toEqual([...rows, { privacy_key: 'Album', privacy_text: '' }]);
  });
});

describe('starting what a preflight looked at', () => {
  it('is the same call however often it is tried, and another one after another preflight', () => {
    expect(onceOf('7')).toEqual(onceOf('7'));
    expect(onceOf('7')).not.toEqual(onceOf('8'));
  });
});
