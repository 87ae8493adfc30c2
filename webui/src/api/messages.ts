import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { type Span, spanStart } from '../logic/span';
import { api, call } from './client';
import { keys } from './queries';
import type { paths } from './schema';

type Asked = NonNullable<paths['/messages']['get']['parameters']['query']>;

/** MessageFilter is what the server filters by; a span counts back from the moment of asking. */
export interface MessageFilter extends Omit<Asked, 'cursor' | 'limit'> {
  span?: Span;
}

/** messagePageSize fills a large screen. */
export const messagePageSize = 50;

function tidy<T extends object>(query: T): T {
  return Object.fromEntries(Object.entries(query).filter(([, v]) => v !== undefined && v !== '')) as T;
}

/**
 * messagesPage is one page of messages; the empty cursor is for the newest. Pages are reloaded when messages come or
 * change, except those of a text search: looking through bodies takes its time.
 */
export function messagesPage({ span, ...filter }: MessageFilter, cursor: string) {
  return queryOptions({
    queryKey: [...keys.messages, filter.q ? 'search' : 'list', { ...filter, span }, cursor],
    staleTime: filter.q ? Number.POSITIVE_INFINITY : 0,
    gcTime: 60_000,
    refetchOnWindowFocus: !filter.q,
    queryFn: ({ signal }) => {
      const since = span ? spanStart(span, Date.now()) : filter.since;
      const query: Asked = tidy({ ...filter, since, cursor, limit: messagePageSize });
      return call(api.GET('/messages', { params: { query }, signal }));
    },
  });
}

/** failedMessagesQuery is a look at the newest messages whose handling failed, with how many there are up to its limit. */
export function failedMessagesQuery(limit: number) {
  return queryOptions({
    queryKey: [...keys.messages, 'list', 'failed', limit],
    queryFn: ({ signal }) => call(api.GET('/messages', { params: { query: { state: 'failed', limit } }, signal })),
  });
}

export function rateQuery(hours: number) {
  return queryOptions({
    queryKey: [...keys.messages, 'rate', hours],
    // Counted on the server every two seconds; no event tells of it.
    refetchInterval: hours > 24 ? 60_000 : 5000,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => call(api.GET('/messages/rate', { params: { query: { hours } }, signal })),
  });
}

export type DeliveryFilter = Omit<NonNullable<paths['/deliveries']['get']['parameters']['query']>, 'cursor'>;

export function deliveriesQuery(filter: DeliveryFilter) {
  return infiniteQueryOptions({
    queryKey: [...keys.deliveries, 'list', filter],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) =>
      call(api.GET('/deliveries', { params: { query: tidy({ ...filter, cursor: pageParam }) }, signal })),
    getNextPageParam: (last) => last.next_cursor || undefined,
  });
}

export function deliveryQuery(id: string) {
  return queryOptions({
    queryKey: [...keys.deliveries, 'one', id],
    queryFn: ({ signal }) => call(api.GET('/deliveries/{id}', { params: { path: { id } }, signal })),
  });
}

/** allRulesQuery has every rule; the server allows five hundred. */
export const allRulesQuery = queryOptions({
  queryKey: keys.everyRule,
  staleTime: 30_000,
  queryFn: async ({ signal }) => {
    const rules = [];
    for (let cursor = ''; ; ) {
      const page = await call(api.GET('/forward-rules', { params: { query: tidy({ limit: 200, cursor }) }, signal }));
      rules.push(...(page.items ?? []));
      cursor = page.next_cursor;
      if (cursor === '') return rules;
    }
  },
});
