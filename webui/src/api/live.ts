import { keys } from './queries';

export type Key = readonly unknown[];

export interface LiveEvent {
  id?: string;
  appid?: string;
  state?: string;
}

export const liveKinds = [
  'ticket',
  'authorizer',
  'link',
  'rollout',
  'submission',
  'message',
  'forward_rule',
  'proxy',
  'notice',
  'registration',
  'sync',
  'import',
  'preflight',
  'resync',
] as const;
export type LiveKind = (typeof liveKinds)[number];

/** outdated names the queries that an event makes out of date; null means all of them. */
export function outdated(kind: LiveKind, event: LiveEvent): Key[] | null {
  const one = (key: (id: string) => Key, id?: string): Key[] => (id ? [key(id)] : []);
  switch (kind) {
    case 'ticket':
      return [keys.component];
    case 'authorizer':
      return [
        [...keys.authorizers, 'list'],
        [...keys.authorizers, 'count'],
        [...keys.authorizers, 'labels'],
        ...one(keys.authorizer, event.appid ?? event.id),
        keys.simulator,
      ];
    case 'link':
      return [[...keys.links, 'list'], ...one(keys.link, event.id), ...one(keys.timeline, event.appid), keys.simulator];
    case 'rollout':
      return [[...keys.rollouts, 'list'], [...keys.rollouts, 'overview'], ...one(keys.rollout, event.id)];
    case 'submission':
      return [
        [...keys.submissions, 'list'],
        ...one(keys.submission, event.id),
        ...one(keys.timeline, event.appid),
        ...(event.state === 'released' ? [[...keys.authorizers, 'list', 'live-versions']] : []),
        keys.rollouts,
        keys.simulator,
      ];
    case 'message':
      // One is told of when it arrives and when it is delivered.
      return [[...keys.messages, 'list'], ...one(keys.message, event.id), keys.deliveries, keys.rules, keys.simulator];
    case 'forward_rule':
      return [keys.rules, keys.everyRule];
    case 'proxy':
      return [keys.proxy];
    case 'notice':
      return [keys.notices, keys.channels];
    case 'registration':
      return [[...keys.registrations, 'list'], ...one(keys.registration, event.id), keys.simulator];
    case 'sync':
      return [keys.syncs];
    case 'import':
      return [keys.imports];
    case 'preflight':
      return one(keys.preflight, event.id);
    case 'resync':
      return null;
  }
}

const patience = 5000;

/**
 * Gatherer collects keys for a moment and hands them over together, so that a rollout over a thousand merchants makes
 * one reload a second and not a thousand. While a reload is under way it goes on collecting: reloading anew would call
 * off the one under way, and on a slow connection nothing would ever arrive. It does not wait for one longer than 5 s.
 */
export class Gatherer {
  private waiting = new Map<string, Key>();
  private everything = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private last = Number.NEGATIVE_INFINITY;
  private reloading = false;
  private stopped = false;

  constructor(
    private readonly flush: (keys: Key[] | null) => unknown,
    private readonly now: () => number = Date.now,
    private readonly firstPause = 150,
    private readonly betweenFlushes = 1000,
  ) {}

  add(some: Key[] | null) {
    if (some === null) this.everything = true;
    else for (const key of some) this.waiting.set(JSON.stringify(key), key);
    this.schedule();
  }

  private schedule() {
    if (this.timer !== undefined || this.reloading || this.stopped) return;
    if (!this.everything && this.waiting.size === 0) return;
    const pause = Math.max(this.firstPause, this.last + this.betweenFlushes - this.now());
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.last = this.now();
      const handed = this.everything ? null : [...this.waiting.values()];
      this.everything = false;
      this.waiting.clear();
      const reload = this.flush(handed);
      if (reload instanceof Promise) this.await(reload);
    }, pause);
  }

  private await(reload: Promise<unknown>) {
    this.reloading = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const longest = new Promise((resolve) => {
      timer = setTimeout(resolve, patience);
    });
    void Promise.race([reload.catch(() => {}), longest]).then(() => {
      clearTimeout(timer);
      this.reloading = false;
      this.schedule();
    });
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}

/** reconnectPause grows from one second to thirty. */
export function reconnectPause(failures: number): number {
  return Math.min(30_000, 1000 * 2 ** Math.min(failures, 5));
}

export type LiveState = 'connecting' | 'live' | 'lost';

interface Source {
  onopen: ((event: Event) => unknown) | null;
  onerror: ((event: Event) => unknown) | null;
  readyState: number;
  addEventListener(kind: string, listener: (event: MessageEvent) => void): void;
  close(): void;
}

interface Options {
  open: () => Source;
  onState: (state: LiveState) => void;
  /** onOutdated reloads; a promise that it returns tells when that is done. */
  onOutdated: (keys: Key[] | null) => unknown;
  /** onRefused is called when the server answered instead of streaming, for example because the session is over. */
  onRefused: () => void;
}

const closed = 2;

/** follow keeps an event stream open until the returned function is called. What was missed while away is reloaded. */
export function follow({ open, onState, onOutdated, onRefused }: Options): () => void {
  const gatherer = new Gatherer(onOutdated);
  let source: Source | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let missed = false;
  let stopped = false;

  function connect() {
    const opened = open();
    source = opened;
    opened.onopen = () => {
      failures = 0;
      onState('live');
      if (missed) gatherer.add(null);
      missed = false;
    };
    opened.onerror = () => {
      if (stopped) return;
      missed = true;
      onState('lost');
      if (opened.readyState !== closed) return; // the browser tries again by itself
      opened.close();
      onRefused();
      clearTimeout(retry);
      retry = setTimeout(connect, reconnectPause(failures++));
    };
    for (const kind of liveKinds) {
      opened.addEventListener(kind, (message) => {
        let event: LiveEvent = {};
        try {
          event = JSON.parse(message.data as string) as LiveEvent;
        } catch {
          // An event without readable data still says that something of its kind changed.
        }
        gatherer.add(outdated(kind, event ?? {}));
      });
    }
  }

  onState('connecting');
  connect();
  return () => {
    stopped = true;
    clearTimeout(retry);
    gatherer.stop();
    source?.close();
  };
}
