import { expect, it } from 'vitest';
import { difference, sameDomains } from './domains';

it('tells what only one of the two copies of the platform’s domains has', () => {
  expect(difference(['a', 'b'], ['b', 'c'])).toEqual({ onlyTesting: ['a'], onlyPublished: ['c'] });
  expect(difference(['a'], ['a'])).toEqual({ onlyTesting: [], onlyPublished: [] });
});

it('tells whether somebody changed one of the platform’s lists', () => {
  expect(sameDomains({ server: ['a', 'b'], webview: null }, { server: ['b', 'a'], webview: [] })).toBe(true);
  expect(sameDomains({ server: ['a'], webview: [] }, { server: ['a', 'b'], webview: [] })).toBe(false);
  expect(sameDomains({ server: ['a'], webview: [] }, { server: ['a'], webview: ['c'] })).toBe(false);
});
