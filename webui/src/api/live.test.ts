import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { follow, Gatherer, type Key, outdated, reconnectPause } from './live';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('outdated', () => {
  it('reloads everything after a gap', () => {
    expect(outdated('resync', {})).toBeNull();
  });
  it('names the merchant that changed', () => {
    expect(outdated('authorizer', { id: 'wx1' })).toContainEqual(['authorizers', 'one', 'wx1']);
  });
  it('reloads lists of messages and deliveries when one comes or is delivered, but no text search and no chart', () => {
    const some = outdated('message', { id: '5' });
    expect(some).toEqual(expect.arrayContaining([['messages', 'list'], ['messages', 'one', '5'], ['deliveries']]));
    expect(some).not.toContainEqual(['messages']);
    expect(outdated('forward_rule', { id: '1' })).toContainEqual(['every-rule']);
  });
  it('reloads how rules do when a message was delivered, and what else changes by itself', () => {
    expect(outdated('message', { id: '5' })).toContainEqual(['rules']);
    expect(outdated('forward_rule', { id: '1' })).toContainEqual(['rules']);
    expect(outdated('proxy', { id: 'proxy' })).toEqual([['proxy']]);
    expect(outdated('notice', { id: '' })).toEqual([['notices'], ['channels']]);
  });
  it('reloads imports and synchronizations as they go on, and nothing else', () => {
    expect(outdated('import', { id: 'i1', state: 'running' })).toEqual([['imports']]);
    expect(outdated('sync', { id: 's1', state: 'running' })).toEqual([['syncs']]);
  });
  it('reloads the timeline of the merchant that something happened to', () => {
    const timeline = ['authorizers', 'one', 'wx1', 'timeline'];
    expect(outdated('submission', { id: '7', appid: 'wx1' })).toEqual(expect.arrayContaining([timeline]));
    expect(outdated('link', { id: 'l', appid: 'wx1' })).toEqual(expect.arrayContaining([timeline]));
    // The merchant itself is reloaded with all that is shown of it.
    expect(outdated('authorizer', { appid: 'wx1' })).toEqual(expect.arrayContaining([['authorizers', 'one', 'wx1']]));
  });
  it('reloads a registration that has come further, and the list of them', () => {
    expect(outdated('registration', { id: 'r1' })).toEqual(
      expect.arrayContaining([
        ['registrations', 'list'],
        ['registrations', 'one', 'r1'],
      ]),
    );
  });
  it('reloads the counts of rollouts when a submission moves', () => {
    expect(outdated('submission', { id: '7' })).toEqual(
      expect.arrayContaining([['submissions', 'one', '7'], ['rollouts']]),
    );
  });
});

describe('Gatherer', () => {
  it('hands over many keys once, then at most once a second', () => {
    const flushed: (Key[] | null)[] = [];
    const g = new Gatherer((k) => flushed.push(k));
    for (let i = 0; i < 100; i++) g.add([['a'], ['b', i % 2]]);
    vi.advanceTimersByTime(150);
    expect(flushed).toEqual([[['a'], ['b', 0], ['b', 1]]]);
    g.add([['c']]);
    vi.advanceTimersByTime(500);
    expect(flushed).toHaveLength(1);
    vi.advanceTimersByTime(500);
    expect(flushed[1]).toEqual([['c']]);
  });
  it('does not reload again while a reload is under way, and then all that came meanwhile', async () => {
    const flushed: (Key[] | null)[] = [];
    let finish = () => {};
    const g = new Gatherer((k) => {
      flushed.push(k);
      return new Promise<void>((resolve) => {
        finish = resolve;
      });
    });
    g.add([['a']]);
    await vi.advanceTimersByTimeAsync(200);
    g.add([['b']]);
    await vi.advanceTimersByTimeAsync(3000);
    g.add([['c']]);
    expect(flushed).toEqual([[['a']]]);
    finish();
    await vi.advanceTimersByTimeAsync(200);
    expect(flushed[1]).toEqual([['b'], ['c']]);
  });
  it('does not wait for a reload that never ends', async () => {
    const flushed: (Key[] | null)[] = [];
    const g = new Gatherer((k) => {
      flushed.push(k);
      return new Promise(() => {});
    });
    g.add([['a']]);
    await vi.advanceTimersByTimeAsync(200);
    g.add([['b']]);
    await vi.advanceTimersByTimeAsync(6000);
    expect(flushed).toEqual([[['a']], [['b']]]);
  });
  it('lets everything win over single keys', () => {
    const flushed: (Key[] | null)[] = [];
    const g = new Gatherer((k) => flushed.push(k));
    g.add([['a']]);
    g.add(null);
    vi.advanceTimersByTime(200);
    expect(flushed).toEqual([null]);
  });
});

describe('follow', () => {
  const happening = new Event('any');

  class FakeSource {
    onopen: ((event: Event) => unknown) | null = null;
    onerror: ((event: Event) => unknown) | null = null;
    readyState = 0;
    listeners = new Map<string, (e: MessageEvent) => void>();
    addEventListener(kind: string, listener: (e: MessageEvent) => void) {
      this.listeners.set(kind, listener);
    }
    close() {
      this.readyState = 2;
    }
  }

  it('opens again by itself when the server refused, and reloads all that was missed', () => {
    const sources: FakeSource[] = [];
    const states: string[] = [];
    const flushed: (Key[] | null)[] = [];
    let refused = 0;
    const stop = follow({
      open: () => {
        const s = new FakeSource();
        sources.push(s);
        return s;
      },
      onState: (s) => states.push(s),
      onOutdated: (k) => flushed.push(k),
      onRefused: () => refused++,
    });
    sources[0]?.onopen?.(happening);
    vi.advanceTimersByTime(2000);
    expect(flushed).toEqual([]);
    if (sources[0]) sources[0].readyState = 2;
    sources[0]?.onerror?.(happening);
    expect(refused).toBe(1);
    vi.advanceTimersByTime(1000);
    expect(sources).toHaveLength(2);
    sources[1]?.onopen?.(happening);
    vi.advanceTimersByTime(2000);
    expect(flushed).toEqual([null]);
    expect(states).toEqual(['connecting', 'live', 'lost', 'live']);
    stop();
    sources[1]?.onerror?.(happening);
    vi.advanceTimersByTime(60_000);
    expect(sources).toHaveLength(2);
  });

  it('leaves a dropped connection to the browser, which tries again itself', () => {
    const sources: FakeSource[] = [];
    const stop = follow({
      open: () => {
        const s = new FakeSource();
        sources.push(s);
        return s;
      },
      onState: () => {},
      onOutdated: () => {},
      onRefused: () => {},
    });
    sources[0]?.onerror?.(happening);
    vi.advanceTimersByTime(60_000);
    expect(sources).toHaveLength(1);
    stop();
  });
});

describe('reconnectPause', () => {
  it('grows to half a minute', () => {
    expect([0, 1, 2, 5, 50].map(reconnectPause)).toEqual([1000, 2000, 4000, 30_000, 30_000]);
  });
});
