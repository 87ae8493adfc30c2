import { queryOptions } from '@tanstack/react-query';
import { api, call } from './client';
import { keys } from './queries';

const pageSize = 200;
const mostPages = 10;

export interface TargetCount {
  n: number;
  /** exact is false when counting stopped early; preflight then tells the exact number. */
  exact: boolean;
}

async function withLabel(label: string, into: Set<string>, signal: AbortSignal): Promise<boolean> {
  let cursor: string | undefined;
  for (let page = 0; page < mostPages; page++) {
    const answer = await call(
      api.GET('/authorizers', {
        params: { query: { status: 'authorized', kind: 'miniprogram', label, limit: pageSize, cursor } },
        signal,
      }),
    );
    for (const a of answer.items ?? []) into.add(a.appid);
    if (!answer.next_cursor) return true;
    cursor = answer.next_cursor;
  }
  return false;
}

/** labelCountQuery counts the merchants that bear any of the labels, each once. */
export function labelCountQuery(labels: string[]) {
  return queryOptions({
    queryKey: [...keys.authorizers, 'count', 'labels', labels],
    enabled: labels.length > 0,
    queryFn: async ({ signal }): Promise<TargetCount> => {
      const found = new Set<string>();
      let exact = true;
      for (const label of labels) exact = (await withLabel(label, found, signal)) && exact;
      return { n: found.size, exact };
    },
  });
}

/** labelsInUseQuery gathers labels to offer, from the newest merchants; others may be typed. */
export const labelsInUseQuery = queryOptions({
  queryKey: [...keys.authorizers, 'labels'],
  staleTime: 60_000,
  queryFn: async ({ signal }) => {
    const page = await call(
      api.GET('/authorizers', { params: { query: { status: 'authorized', limit: pageSize } }, signal }),
    );
    return [...new Set((page.items ?? []).flatMap((a) => a.labels ?? []))].sort();
  },
});
