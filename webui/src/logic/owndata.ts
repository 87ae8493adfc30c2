import type { AuthorizerDetail, AuthorizerPatch } from '../api/types';

/** Own is what only we know of a merchant, as it is edited: ext as text. */
export interface Own {
  bizIds: string[];
  labels: string[];
  ext: string;
}

export function ownOf(m: Pick<AuthorizerDetail, 'biz_ids' | 'labels' | 'ext'>): Own {
  return { bizIds: m.biz_ids ?? [], labels: m.labels ?? [], ext: JSON.stringify(m.ext ?? {}, null, 2) };
}

const same = (a: readonly string[], b: readonly string[]) => a.length === b.length && a.every((v, i) => v === b[i]);

export function sameOwn(a: Own, b: Own): boolean {
  return a.ext === b.ext && same(a.bizIds, b.bizIds) && same(a.labels, b.labels);
}

/** editedSince is what was saved, but for the parts that were edited on while it was on its way. */
export function editedSince(sent: Own, now: Own, saved: Own): Own {
  return {
    bizIds: same(sent.bizIds, now.bizIds) ? saved.bizIds : now.bizIds,
    labels: same(sent.labels, now.labels) ? saved.labels : now.labels,
    ext: sent.ext === now.ext ? saved.ext : now.ext,
  };
}

/** changedParts are the parts that were edited; the others may have been changed by somebody else meanwhile. */
export function changedParts(base: Own, own: Own, ext: Record<string, unknown>): AuthorizerPatch {
  return {
    ...(!same(base.bizIds, own.bizIds) && { biz_ids: own.bizIds }),
    ...(!same(base.labels, own.labels) && { labels: own.labels }),
    ...(base.ext !== own.ext && { ext }),
  };
}
