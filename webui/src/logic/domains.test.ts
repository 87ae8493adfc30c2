import { expect, it } from 'vitest';
import { difference } from './domains';

it('tells what only one of the two copies of the platform’s domains has', () => {
  expect(difference(['a', 'b'], ['b', 'c'])).toEqual({ onlyTesting: ['a'], onlyPublished: ['c'] });
  expect(difference(['a'], ['a'])).toEqual({ onlyTesting: [], onlyPublished: [] });
});
