import { describe, expect, it } from 'vitest';
import type { RuleStat } from '../api/types';
import {
  bodyOf,
  calledAt,
  counted,
  emptyRule,
  hostOf,
  milliseconds,
  ratesOf,
  ruleFaults,
  ruleState,
  targetFault,
  upstreamFault,
} from './rules';

describe('a target address', () => {
  it('is a full address', () => {
    expect(targetFault('https://shop.example.com/wechat/$APPID$?a=$APPID$')).toBeUndefined();
    expect(targetFault('http://127.0.0.1:8090')).toBeUndefined();
    expect(targetFault('http://[::1]:80/x')).toBeUndefined();
    expect(targetFault(' ')).toBe('targetEmpty');
    for (const wrong of ['shop.example.com', 'ftp://shop', 'https://', 'https:///x', 'https://shop.example.com/a b']) {
      expect([wrong, targetFault(wrong)]).toEqual([wrong, 'target']);
    }
  });

  it('keeps the merchant out of the host, and has neither user nor fragment', () => {
    expect(targetFault('https://$APPID$.example.com/')).toBe('targetHost');
    expect(targetFault('https://me:secret@example.com/')).toBe('targetUser');
    expect(targetFault('https://example.com/#top')).toBe('targetHash');
  });

  it('is shown as it is called', () => {
    expect(calledAt('https://a.example/$APPID$/x?m=$APPID$&q=?', 'wx1')).toBe('https://a.example/wx1/x?m=wx1&q=?');
    expect(calledAt('https://a.example/x', 'wx1')).toBe('https://a.example/x');
    expect(hostOf('https://a.example:8443/x')).toBe('a.example:8443');
  });
});

describe('a rule', () => {
  const good = { ...emptyRule, name: '商城', target: 'https://shop.example.com' };

  it('needs a name, a target, merchants where it is for some, and a time-out within the limit of its mode', () => {
    expect(ruleFaults(good)).toEqual({});
    expect(ruleFaults({ ...good, name: ' ', target: '', some: true })).toEqual({
      name: 'name',
      target: 'targetEmpty',
      appids: 'merchants',
    });
    expect(ruleFaults({ ...good, timeout: '4600' })).toEqual({});
    expect(ruleFaults({ ...good, timeout: '4600', mode: 'relay' })).toEqual({ timeout: 'timeout' });
    expect(ruleFaults({ ...good, timeout: '1.5' })).toEqual({ timeout: 'timeout' });
    expect(ruleFaults({ ...good, channel: 'component', mode: 'relay' })).toEqual({ mode: 'componentRelay' });
  });

  it('sends only what its channel has', () => {
    const typed = { ...good, infoType: 'authorized', msgType: 'event', event: 'subscribe', appids: ['wx1'] };
    expect(bodyOf(typed)).toMatchObject({ info_type: '', msg_type: 'event', event: 'subscribe', appids: [] });
    expect(bodyOf({ ...typed, channel: 'component', some: true })).toMatchObject({
      info_type: 'authorized',
      msg_type: '',
      event: '',
      appids: ['wx1'],
      timeout_ms: 10_000,
    });
    expect(bodyOf({ ...good, mode: 'relay' }).timeout_ms).toBe(4000);
  });

  it('is paused before it is off, and fails only while it is on', () => {
    const since = '2026-01-01T00:00:00Z';
    expect(ruleState({ enabled: true, paused_at: null, failing_since: null })).toBe('on');
    expect(ruleState({ enabled: true, paused_at: null, failing_since: since })).toBe('failing');
    expect(ruleState({ enabled: false, paused_at: since, failing_since: since })).toBe('paused');
    expect(ruleState({ enabled: false, paused_at: null, failing_since: since })).toBe('off');
  });
});

describe('figures', () => {
  const bar = (delivered: number, failed: number, avg_ms: number, max_ms: number): RuleStat => ({
    at: '2026-01-01T00:00:00Z',
    delivered,
    failed,
    dead: 0,
    avg_ms,
    max_ms,
  });

  it('are weighed by calls', () => {
    expect(ratesOf([bar(3, 0, 10, 30), bar(0, 1, 50, 50)])).toEqual({
      calls: 4,
      delivered: 3,
      failed: 1,
      dead: 0,
      percent: 75,
      avgMs: 20,
      maxMs: 50,
    });
    expect(ratesOf([]).percent).toBeNull();
  });

  it('say 100 % only when all succeeded', () => {
    expect(ratesOf([bar(99_999, 1, 1, 1)]).percent).toBe(99.9);
    expect(ratesOf([bar(5, 0, 1, 1)]).percent).toBe(100);
  });

  it('tell when counting ended early', () => {
    expect(counted(999, 1000, 'en')).toBe('999');
    expect(counted(1000, 1000, 'en')).toBe('1,000+');
  });

  it('have units', () => {
    expect(milliseconds(0, 'en')).toBe('<1 ms');
    expect(milliseconds(85, 'en')).toBe('85 ms');
    expect(milliseconds(1240, 'en')).toBe('1.2 sec');
  });
});

it('an upstream is a scheme and a host, perhaps with a path', () => {
  for (const good of ['', 'http://127.0.0.1:8090', 'https://shop.example.com/base/']) {
    expect([good, upstreamFault(good)]).toEqual([good, false]);
  }
  for (const wrong of ['127.0.0.1:8090', 'ftp://x', 'http://', 'http://me@x', 'http://x?y', 'http://x/#y']) {
    expect([wrong, upstreamFault(wrong)]).toEqual([wrong, true]);
  }
});
