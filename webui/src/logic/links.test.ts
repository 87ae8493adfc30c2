import { describe, expect, it } from 'vitest';
import { downloads, posterAddress, returnTrouble, scopeIds, ttlSeconds } from './links';

describe('ttlSeconds', () => {
  it('takes whole hours and days up to 366 days', () => {
    expect(ttlSeconds('2', 'hours')).toBe(7200);
    expect(ttlSeconds(' 366 ', 'days')).toBe(366 * 86_400);
  });
  it('takes nothing else', () => {
    for (const amount of ['', '0', '-1', '1.5', '1e3', '367', 'soon']) expect(ttlSeconds(amount, 'days')).toBeNull();
  });
});

describe('returnTrouble', () => {
  const list = ['https://shop.example.com', 'http://localhost:3000/app'];
  it('lets addresses of a listed origin and path pass', () => {
    for (const url of [
      'https://shop.example.com',
      'https://shop.example.com/done?x=1#top',
      'HTTPS://Shop.Example.com/done',
      'https://shop.example.com:443/',
      'http://localhost:3000/app/bound',
    ])
      expect([url, returnTrouble(url, list)]).toEqual([url, null]);
  });
  it('stops what no browser should be sent to', () => {
    for (const url of ['', 'shop.example.com', '//shop.example.com', 'javascript:alert(1)', 'https:/\\evil.example'])
      expect([url, returnTrouble(url, list)]).toEqual([url, 'address']);
    expect(returnTrouble('https://user:pass@shop.example.com/', list)).toBe('credentials');
  });
  it('stops other origins and paths that only begin alike', () => {
    for (const url of [
      'http://shop.example.com/',
      'https://shop.example.com.evil.example/',
      'https://shop.example.com:8443/',
      'http://localhost:3000/apple',
    ])
      expect([url, returnTrouble(url, list)]).toEqual([url, 'unlisted']);
    expect(returnTrouble('https://shop.example.com/', [])).toBe('unlisted');
  });
});

describe('scopeIds', () => {
  it('reads numbers once each, however they are parted', () => {
    expect(scopeIds('18, 30、18\n85')).toEqual([18, 30, 85]);
    expect(scopeIds(' ')).toEqual([]);
  });
  it('takes nothing that is no number', () => {
    for (const text of ['18 x', '0', '-3', '1.5']) expect(scopeIds(text)).toBeNull();
  });
});

it('addresses of poster and files', () => {
  expect(posterAddress('https://a/authorize/x/poster', 'zh-CN')).toBe('https://a/authorize/x/poster?lang=zh');
  expect(posterAddress('https://a/authorize/x/poster', 'en')).toBe('https://a/authorize/x/poster?lang=en');
  expect(downloads('https://a/authorize/x/qr.png')).toEqual({
    png: 'https://a/authorize/x/qr.png?size=1024&download=1',
    svg: 'https://a/authorize/x/qr.svg?download=1',
  });
});
