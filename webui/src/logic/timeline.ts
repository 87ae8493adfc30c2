import type { Happening } from '../api/types';
import { submissionTone, type Tone } from './states';

/** happeningTone colours what happened: good and bad news, what people did, and the rest. */
export function happeningTone(h: Pick<Happening, 'kind' | 'state'>): Tone {
  switch (h.kind) {
    case 'authorized':
      return 'good';
    case 'withdrawn':
    case 'stale':
      return 'bad';
    case 'submission_ended':
      return submissionTone(h.state);
    case 'change_decided': {
      const state = h.state.split('/')[1] ?? '';
      return state === 'effective' ? 'good' : state === 'refused' || state === 'failed' ? 'bad' : 'idle';
    }
    case 'registration_ended':
      return h.state === 'completed' ? 'good' : h.state === 'failed' ? 'bad' : 'ended';
    case 'submission_started':
    case 'change_asked':
    case 'registration_started':
      return 'working';
    case 'note':
      return 'review';
    default:
      return 'idle';
  }
}

/** happeningLink leads to what a happening is about, or nowhere. */
export function happeningLink(h: Pick<Happening, 'kind' | 'ref'>): string {
  if (h.ref === '') return '';
  switch (h.kind) {
    case 'bound':
    case 'link_created':
    case 'link_opened':
    case 'link_used':
      return `/links/${h.ref}`;
    case 'submission_started':
    case 'submission_ended':
      return `/rollouts/${h.ref}`;
    case 'registration_started':
    case 'registration_ended':
      return `/registrations/${h.ref}`;
    default:
      return '';
  }
}

/** dayOf is the day of a time on the reader's clock, as a key. */
export function dayOf(at: number): string {
  const date = new Date(at);
  const two = (n: number) => String(n).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** byDay puts happenings, newest first, under the days they happened on. Each is taken once, also when pages overlap. */
export function byDay<T extends { id: string; at: string }>(
  list: readonly T[],
): { day: string; at: number; items: T[] }[] {
  const days: { day: string; at: number; items: T[] }[] = [];
  const seen = new Set<string>();
  for (const h of list) {
    if (seen.has(h.id)) continue;
    seen.add(h.id);
    const at = Date.parse(h.at);
    const day = dayOf(at);
    const last = days.at(-1);
    if (last?.day === day) last.items.push(h);
    else days.push({ day, at, items: [h] });
  }
  return days;
}

/** nearDay says whether a day is today or yesterday. */
export function nearDay(at: number, now: number): 'today' | 'yesterday' | null {
  if (dayOf(at) === dayOf(now)) return 'today';
  const before = new Date(now);
  before.setDate(before.getDate() - 1);
  return dayOf(at) === dayOf(before.getTime()) ? 'yesterday' : null;
}
