import type { Job, SystemState } from '../api/types';
import type { Tone } from './states';

export type Queue = NonNullable<SystemState['queues']>[number];
export type Replica = NonNullable<SystemState['replicas']>[number];
export type Migration = NonNullable<SystemState['database']['migrations']>[number];

const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

/** bytes says a size in the largest unit of which there is one, with three digits at most. */
export function bytes(n: number, language: string): string {
  let at = 0;
  let left = n;
  while (left >= 1000 && at < units.length - 1) {
    left /= 1024;
    at++;
  }
  return new Intl.NumberFormat(language, {
    style: 'unit',
    unit: units[at],
    unitDisplay: at === 0 ? 'long' : 'short',
    maximumFractionDigits: left < 10 && at > 0 ? 1 : 0,
  }).format(left);
}

export const jobStates = [
  'available',
  'pending',
  'running',
  'retryable',
  'scheduled',
  'completed',
  'cancelled',
  'discarded',
] as const;

const tones: Record<Job['state'], Tone> = {
  available: 'idle',
  pending: 'idle',
  running: 'working',
  retryable: 'action',
  scheduled: 'idle',
  completed: 'good',
  cancelled: 'ended',
  discarded: 'bad',
};

export function jobTone(state: Job['state']): Tone {
  return tones[state] ?? 'idle';
}

/** jobActions are what may be done with a job; the server refuses the rest. */
export function jobActions(state: Job['state']): readonly ('retry' | 'discard')[] {
  switch (state) {
    case 'running':
    case 'completed':
      return [];
    case 'cancelled':
    case 'discarded':
      return ['retry'];
    default:
      return ['retry', 'discard'];
  }
}

/** schema is the newest step of each source that has been applied, and how many are to come. */
export function schema(all: readonly Migration[]): { source: string; version: number; toCome: number }[] {
  const sources = [...new Set(all.map((m) => m.source))];
  return sources.map((source) => {
    const own = all.filter((m) => m.source === source);
    const done = own.filter((m) => m.applied_at !== null);
    return {
      source,
      version: Math.max(0, ...done.map((m) => m.version)),
      toCome: own.length - done.length,
    };
  });
}

/** argsText is what a job is about, in one line. */
export function argsText(args: unknown): string {
  if (args === null || typeof args !== 'object') return '';
  return Object.entries(args)
    .filter(([, value]) => value !== null && value !== '' && typeof value !== 'object')
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ');
}
