import type { Release, Rollout, RolloutChange } from '../api/types';
import { readWindow } from './window';

const ends = ['released', 'rejected', 'withdrawn', 'blocked', 'failed', 'canceled', 'superseded'];

/** leastHours must pass before a pace means anything: what is blocked ends at once. */
const leastHours = 1 / 6;

export interface Pace {
  perHour: number;
  /** endsAt is when the last merchant comes to an end if it goes on like this. */
  endsAt: number;
}

/** paceOf says how fast merchants come to an end; null while too few have, or when nothing moves. */
export function paceOf(
  rollout: Pick<Rollout, 'state' | 'counts' | 'total' | 'created_at' | 'start_at'>,
  now: number,
): Pace | null {
  if (rollout.state !== 'running') return null;
  const done = ends.reduce((n, state) => n + (rollout.counts[state] ?? 0), 0);
  const left = rollout.total - done;
  const hours = (now - Date.parse(rollout.start_at ?? rollout.created_at)) / 3_600_000;
  if (done < 5 || left <= 0 || hours < leastHours) return null;
  const perHour = done / hours;
  return { perHour: Math.max(1, Math.round(perHour)), endsAt: now + (left / perHour) * 3_600_000 };
}

/** percentages reads "10, 50 100%"; null: it is no growing list of 1 to 100. */
export function percentages(text: string): number[] | null {
  const words = text.split(/[\s,，、]+/).filter((w) => w !== '');
  const list = words.map((w) => Number(w.replace(/%$/, '')));
  const good = list.every((n, i) => Number.isInteger(n) && n >= 1 && n <= 100 && (i === 0 || n > (list[i - 1] ?? 0)));
  return good ? list : null;
}

/** isInterval reports whether the server will read text as a time such as 90s, 30m or 2h30m. */
export function isInterval(text: string): boolean {
  return /^(\d+(\.\d+)?(h|m|s))+$/.test(text.trim()) && !/^[0.hms]+$/.test(text.trim());
}

export interface EditForm {
  name: string;
  mode: 'auto' | 'manual';
  window: string;
  gray: string;
  interval: string;
  canary: string;
  batch: string;
  failed: string;
  /** withdraw is not edited, but belongs to the strategy, which is sent as a whole. */
  withdraw: boolean;
}

export function editForm({ name, spec }: Pick<Rollout, 'name' | 'spec'>): EditForm {
  const { release, strategy } = spec;
  return {
    name,
    mode: release?.mode ?? 'auto',
    window: release?.window ?? '',
    gray: (release?.gray ?? []).join(', '),
    interval: release?.gray_interval ?? '',
    canary: strategy?.canary ? String(strategy.canary) : '',
    batch: strategy?.batch_size ? String(strategy.batch_size) : '',
    failed: strategy?.max_failed_percent === undefined ? '' : String(strategy.max_failed_percent),
    withdraw: strategy?.withdraw_running ?? false,
  };
}

const whole = (text: string) => text.trim() === '' || /^\d{1,7}$/.test(text.trim());

/** wrongIn names the fields that the server would refuse. */
export function wrongIn(form: EditForm): (keyof EditForm)[] {
  const wrong: (keyof EditForm)[] = [];
  if (form.window.trim() !== '' && !readWindow(form.window)) wrong.push('window');
  if (percentages(form.gray) === null) wrong.push('gray');
  if (form.interval.trim() !== '' && !isInterval(form.interval)) wrong.push('interval');
  if (!whole(form.canary)) wrong.push('canary');
  if (!whole(form.batch)) wrong.push('batch');
  if (!whole(form.failed) || Number(form.failed) > 100) wrong.push('failed');
  return wrong;
}

export function releaseOf(form: Pick<EditForm, 'mode' | 'window' | 'gray' | 'interval'>): Release {
  const release: Release = { mode: form.mode };
  if (form.window.trim() !== '') release.window = form.window.trim().split(/\s+/).join(' ');
  const gray = percentages(form.gray) ?? [];
  if (gray.length > 0) {
    release.gray = gray;
    release.gray_interval = form.interval.trim() === '' ? null : form.interval.trim();
  }
  return release;
}

/** changeFrom makes the body of PATCH /rollouts/{id}: what was not touched is left out. */
export function changeFrom(form: EditForm, before: EditForm): RolloutChange {
  const change: RolloutChange = {};
  if (form.name.trim() !== before.name && form.name.trim() !== '') change.name = form.name.trim();
  const part = (f: EditForm, names: (keyof EditForm)[]) => names.map((n) => f[n]).join('\u0000');
  const release: (keyof EditForm)[] = ['mode', 'window', 'gray', 'interval'];
  if (part(form, release) !== part(before, release)) change.release = releaseOf(form);
  const strategy: (keyof EditForm)[] = ['canary', 'batch', 'failed'];
  if (part(form, strategy) !== part(before, strategy)) {
    change.strategy = { canary: Number(form.canary || 0), batch_size: Number(form.batch || 0) };
    if (form.failed.trim() !== '') change.strategy.max_failed_percent = Number(form.failed);
    if (form.withdraw) change.strategy.withdraw_running = true;
  }
  return change;
}
