import type { LabelChange, LabelCount, LabelResult } from '../api/types';
import { oneOf } from './oneof';

export const directoryFilters = ['q', 'status', 'kind', 'biz_id', 'label', 'func_scope'] as const;
export type DirectoryFilter = Record<(typeof directoryFilters)[number], string>;

const statuses = ['authorized', 'unauthorized'] as const;
const kinds = ['miniprogram', 'official', 'other'] as const;

/** askedOf is what of an address is a filter that the server knows. */
export function askedOf(f: DirectoryFilter) {
  const scope = Number(f.func_scope);
  return {
    q: f.q.trim() || undefined,
    biz_id: f.biz_id.trim() || undefined,
    label: f.label || undefined,
    status: oneOf(f.status, statuses),
    kind: oneOf(f.kind, kinds),
    func_scope: Number.isInteger(scope) && scope > 0 && scope <= 1 << 30 ? scope : undefined,
  };
}

export type Asked = ReturnType<typeof askedOf>;

/** narrowed says that a filter leaves some merchants out. */
export function narrowed(asked: Asked): boolean {
  return Object.values(asked).some((v) => v !== undefined);
}

/** exportAddress is where the merchants that a filter finds are had as a file. */
export function exportAddress(asked: Asked): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(asked)) if (value !== undefined) query.set(name, String(value));
  const text = query.toString();
  return `/api/v1/authorizers/export${text && `?${text}`}`;
}

/** Target is who a bulk change is for. again are those that failed the time before. */
export type Target = { appids: string[]; again?: boolean } | { filter: Asked; total: number };

export function targetSize(target: Target): number {
  return 'appids' in target ? target.appids.length : target.total;
}

/** labelChange is the call for a target. */
export function labelChange(target: Target, add: string[], remove: string[]): LabelChange {
  if ('appids' in target) return { appids: target.appids, add, remove };
  return { filter: target.filter, add, remove };
}

/** conflict is the first label that is to be added and to be removed. */
export function conflict(add: readonly string[], remove: readonly string[]): string | undefined {
  return add.find((label) => remove.includes(label));
}

/** failedTarget are those that a change did not reach; null when there are none. */
export function failedTarget(result: Pick<LabelResult, 'failed'>): Target | null {
  const appids = (result.failed ?? []).map((f) => f.appid);
  return appids.length > 0 ? { appids, again: true } : null;
}

/** topLabels are the labels most merchants have, and the chosen one. */
export function topLabels(labels: readonly LabelCount[], most: number, chosen: string): LabelCount[] {
  const top = labels.toSorted((a, b) => b.count - a.count || a.label.localeCompare(b.label)).slice(0, most);
  if (chosen === '' || top.some((l) => l.label === chosen)) return top;
  return [...top, labels.find((l) => l.label === chosen) ?? { label: chosen, count: 0 }];
}

/** toggled adds to a set or takes away. */
export function toggled(set: ReadonlySet<string>, members: readonly string[], on: boolean): Set<string> {
  const next = new Set(set);
  for (const m of members) {
    if (on) next.add(m);
    else next.delete(m);
  }
  return next;
}

const minute = 60_000;
const nightlyAt = 3 * 60 + 30;

function wallMinutes(at: number, zone: string): number {
  const parts = new Intl.DateTimeFormat('en', {
    hour: 'numeric',
    minute: 'numeric',
    hourCycle: 'h23',
    timeZone: zone,
  }).formatToParts(at);
  const part = (type: string) => Number(parts.find((p) => p.type === type)?.value ?? 0);
  return part('hour') * 60 + part('minute');
}

/** nextNightly is when merchants are synchronized by schedule, half past three on the server's clock; null if its zone is not known here. */
export function nextNightly(now: number, zone: string): number | null {
  try {
    const whole = Math.floor(now / minute) * minute;
    const wait = (nightlyAt - wallMinutes(whole, zone) + 1440) % 1440 || 1440;
    const at = whole + wait * minute;
    // The clock may be put forward or back until then.
    const off = nightlyAt - wallMinutes(at, zone);
    return at + (Math.abs(off) <= 120 ? off * minute : 0);
  } catch {
    return null;
  }
}
