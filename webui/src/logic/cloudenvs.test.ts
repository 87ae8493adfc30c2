import { describe, expect, it } from 'vitest';
import {
  aliasFits,
  badPath,
  mayAskAgain,
  momentOf,
  pathLines,
  percents,
  seen,
  shareStates,
  shareTone,
  takesCalls,
  words,
} from './cloudenvs';

describe('cloud environments', () => {
  it('takes names as WeChat does', () => {
    expect(aliasFits('shop-1')).toBe(true);
    for (const alias of ['', '-a', 'Shop', 'a_b', 'x'.repeat(65)])
      expect([alias, aliasFits(alias)]).toEqual([alias, false]);
  });

  it('reads a whitelist, and finds what is no path', () => {
    expect(pathLines(' /wxa/a\n\n/wxa/b\n/wxa/a ')).toEqual(['/wxa/a', '/wxa/b']);
    expect(badPath(['/a', 'b'])).toBe('b');
    expect(badPath(['/*'])).toBeUndefined();
    expect(words('subnet-1， subnet-2,subnet-1')).toEqual(['subnet-1', 'subnet-2']);
  });

  it('adds up how calls are divided, and takes nonsense for nothing', () => {
    const versions = [
      { name: 'a', percent: 100 },
      { name: 'b', percent: 0 },
    ];
    expect(percents(versions, {})).toEqual({ percent: { a: 100, b: 0 }, sum: 100 });
    expect(percents(versions, { a: '90', b: '5' })).toEqual({ percent: { a: 90, b: 5 }, sum: 95 });
    expect(percents(versions, { a: '-1', b: '' }).sum).toBe(0);
    expect(['normal', 'running', 'build_fail', 'creating'].filter((status) => takesCalls({ status }))).toEqual([
      'normal',
      'running',
    ]);
  });

  it('marks what was only seen in use', () => {
    const evidence = {
      list_cloudbase: 'documented',
      list_cloudrun: 'code',
      create_cloudbase: 'documented',
      create_cloudrun: 'code',
      share_cloudbase: 'documented',
      share_cloudrun: 'code',
      token: 'documented',
      push: 'documented',
      services_cloudbase: 'documented',
      services_cloudrun: 'unknown',
    } as const;
    expect(seen(evidence, 'create', 'cloudrun')).toBe(true);
    expect(seen(evidence, 'create', 'cloudbase')).toBe(false);
    expect(seen(undefined, 'list', 'cloudrun')).toBe(false);
  });

  it('reads times as WeChat writes them', () => {
    expect(momentOf('1795179337')).toBe('2026-11-20T12:55:37.000Z');
    expect(momentOf('2026-11-20 12:55:37')).toBe('2026-11-20 12:55:37');
    expect(momentOf('')).toBe('');
  });

  it('asks nobody again who uses it or is being asked', () => {
    expect(shareStates.filter(mayAskAgain)).toEqual(['waiting', 'failed', 'expired', 'ended']);
    for (const state of shareStates) expect(shareTone(state)).toBeTruthy();
  });
});
