import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, call, request } from './client';
import { Problem } from './problem';
import type { paths } from './schema';
import type { Meta, Page, PageQuery, Session, SubmissionItem } from './types';

/** keys are the names under which answers are kept; live events name them again to say what is out of date. */
export const keys = {
  meta: ['meta'] as const,
  session: ['session'] as const,
  /** left is set while somebody signs out by hand. */
  left: ['left'] as const,
  component: ['component'] as const,
  domains: ['domains'] as const,
  links: ['links'] as const,
  link: (id: string) => ['links', 'one', id] as const,
  registrations: ['registrations'] as const,
  registration: (id: string) => ['registrations', 'one', id] as const,
  authorizers: ['authorizers'] as const,
  authorizer: (appid: string) => ['authorizers', 'one', appid] as const,
  syncs: ['syncs'] as const,
  imports: ['imports'] as const,
  timeline: (appid: string) => ['authorizers', 'one', appid, 'timeline'] as const,
  messages: ['messages'] as const,
  message: (id: string) => ['messages', 'one', id] as const,
  templates: ['templates'] as const,
  drafts: ['drafts'] as const,
  preflight: (id: string) => ['preflights', id] as const,
  domainProfiles: ['domain-profiles'] as const,
  privacyProfiles: ['privacy-profiles'] as const,
  rollouts: ['rollouts'] as const,
  rollout: (id: string) => ['rollouts', 'one', id] as const,
  submissions: ['submissions'] as const,
  submission: (id: string) => ['submissions', 'one', id] as const,
  deliveries: ['deliveries'] as const,
  rules: ['rules'] as const,
  rule: (id: string) => ['rules', 'one', id] as const,
  /** everyRule is apart from the rules, because messages do not change it. */
  everyRule: ['every-rule'] as const,
  proxy: ['proxy'] as const,
  audit: ['audit'] as const,
  channels: ['channels'] as const,
  notices: ['notices'] as const,
  simulator: ['simulator'] as const,
};

type Query = Record<string, string | number | boolean | undefined>;

function tidy<Q extends Query>(query: Q): Q {
  return Object.fromEntries(Object.entries(query).filter(([, v]) => v !== undefined && v !== '')) as Q;
}

/** list makes the options of an endless list: pages follow next_cursor until it is empty. */
function list<T>(key: readonly unknown[], query: Query, load: (query: Query, signal: AbortSignal) => Promise<Page<T>>) {
  return infiniteQueryOptions({
    queryKey: [...key, 'list', query],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => load(tidy({ ...query, cursor: pageParam }), signal),
    getNextPageParam: (last) => last.next_cursor || undefined,
  });
}

export const metaQuery = queryOptions({
  queryKey: keys.meta,
  staleTime: Number.POSITIVE_INFINITY,
  queryFn: async ({ signal }): Promise<Meta | null> => {
    try {
      return await call(api.GET('/meta', { signal }));
    } catch (thrown) {
      if (thrown instanceof Problem && (thrown.status === 401 || thrown.status === 404)) return null;
      throw thrown;
    }
  },
});

/** sessionQuery holds null when nobody is signed in. */
export const sessionQuery = queryOptions({
  queryKey: keys.session,
  staleTime: 60_000,
  queryFn: async ({ signal }): Promise<Session | null> => {
    const { data, error, response } = await api.GET('/session', { signal });
    if (response.status === 401) return null;
    return call(Promise.resolve({ data, error, response }));
  },
});

export const componentQuery = queryOptions({
  queryKey: keys.component,
  queryFn: ({ signal }) => call(api.GET('/component', { signal })),
});

/** whitelistQuery is what Cloud Run must be told before it lets our calls through; it changes with the program only. */
export const whitelistQuery = queryOptions({
  queryKey: ['whitelist'],
  staleTime: Number.POSITIVE_INFINITY,
  queryFn: ({ signal }) => call(api.GET('/component/whitelist', { signal })),
});

export const domainsQuery = queryOptions({
  queryKey: keys.domains,
  queryFn: ({ signal }) => call(api.GET('/component/domains', { signal })),
});

export function linksQuery(query: { status?: string; biz_id?: string; limit?: number }) {
  return list(keys.links, query, (q, signal) =>
    call(api.GET('/authorization-links', { params: { query: q }, signal })),
  );
}

export function linkQuery(id: string) {
  return queryOptions({
    queryKey: keys.link(id),
    queryFn: ({ signal }) => call(api.GET('/authorization-links/{id}', { params: { path: { id } }, signal })),
  });
}

export type AuthorizerFilter = Omit<NonNullable<paths['/authorizers']['get']['parameters']['query']>, 'cursor'>;

export function authorizersQuery(query: AuthorizerFilter) {
  return list(keys.authorizers, { ...query }, (q, signal) =>
    call(api.GET('/authorizers', { params: { query: q }, signal })),
  );
}

/** authorizerCountQuery asks for one merchant only to learn the exact total. */
export function authorizerCountQuery(query: AuthorizerFilter) {
  return queryOptions({
    queryKey: [...keys.authorizers, 'count', query],
    queryFn: async ({ signal }) => {
      const page = await call(api.GET('/authorizers', { params: { query: tidy({ ...query, limit: 1 }) }, signal }));
      return page.total ?? 0;
    },
  });
}

export function authorizerQuery(appid: string) {
  return queryOptions({
    queryKey: keys.authorizer(appid),
    queryFn: ({ signal }) => call(api.GET('/authorizers/{appid}', { params: { path: { appid } }, signal })),
  });
}

export function versionsQuery(appid: string) {
  return queryOptions({
    queryKey: [...keys.authorizer(appid), 'versions'],
    queryFn: ({ signal }) => call(api.GET('/authorizers/{appid}/versions', { params: { path: { appid } }, signal })),
    retry: false,
  });
}

export function messageQuery(id: string) {
  return queryOptions({
    queryKey: keys.message(id),
    queryFn: ({ signal }) => call(api.GET('/messages/{id}', { params: { path: { id } }, signal })),
  });
}

// The libraries come whole, in one page.
export const draftsQuery = list(keys.drafts, {}, (_, signal) => call(api.GET('/template-drafts', { signal })));

export const templatesQuery = list(keys.templates, {}, (_, signal) => call(api.GET('/templates', { signal })));

export function rolloutsQuery(query: { state?: string; limit?: number }) {
  return list(keys.rollouts, query, (q, signal) => call(api.GET('/rollouts', { params: { query: q }, signal })));
}

export const overviewQuery = queryOptions({
  queryKey: [...keys.rollouts, 'overview'],
  queryFn: ({ signal }) => call(api.GET('/rollouts/overview', { signal })),
});

export function rolloutQuery(id: string) {
  return queryOptions({
    queryKey: keys.rollout(id),
    queryFn: ({ signal }) => call(api.GET('/rollouts/{id}', { params: { path: { id } }, signal })),
  });
}

export function submissionsQuery(query: { rollout_id?: string; appid?: string; state?: string; limit?: number }) {
  return list(keys.submissions, query, (q, signal) => call(api.GET('/submissions', { params: { query: q }, signal })));
}

export type SubmissionFilter = Omit<NonNullable<paths['/submissions']['get']['parameters']['query']>, 'cursor'>;

/** submissionPageQuery is one page of a long list, kept by itself so that only pages in sight are read again. */
export function submissionPageQuery(filter: SubmissionFilter, cursor: string): PageQuery<SubmissionItem> {
  return {
    queryKey: [...keys.submissions, 'list', 'page', filter, cursor],
    // Events say when it is out of date.
    staleTime: 60_000,
    queryFn: ({ signal }) => call(api.GET('/submissions', { params: { query: tidy({ ...filter, cursor }) }, signal })),
  };
}

export function submissionQuery(id: string) {
  return queryOptions({
    queryKey: keys.submission(id),
    queryFn: ({ signal }) => call(api.GET('/submissions/{id}', { params: { path: { id } }, signal })),
  });
}

export const rulesQuery = list(keys.rules, { limit: 50 }, (q, signal) =>
  call(api.GET('/forward-rules', { params: { query: q }, signal })),
);

/** rulesOverviewQuery has the last day of every rule in one answer. */
export const rulesOverviewQuery = queryOptions({
  queryKey: [...keys.rules, 'overview'],
  queryFn: ({ signal }) => call(api.GET('/forward-rules/overview', { params: { query: { hours: 24 } }, signal })),
});

export function ruleQuery(id: string) {
  return queryOptions({
    queryKey: keys.rule(id),
    queryFn: ({ signal }) => call(api.GET('/forward-rules/{id}', { params: { path: { id } }, signal })),
  });
}

export function ruleStatsQuery(id: string, hours: number) {
  return queryOptions({
    queryKey: [...keys.rules, 'stats', id, hours],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      call(api.GET('/forward-rules/{id}/stats', { params: { path: { id }, query: { hours } }, signal })),
  });
}

export function latestDeliveriesQuery(ruleId: string) {
  return queryOptions({
    queryKey: [...keys.deliveries, 'latest', ruleId],
    queryFn: ({ signal }) => call(api.GET('/deliveries', { params: { query: { rule_id: ruleId, limit: 8 } }, signal })),
  });
}

export const proxyQuery = queryOptions({
  queryKey: keys.proxy,
  queryFn: ({ signal }) => call(api.GET('/proxy', { signal })),
});

export const channelsQuery = list(keys.channels, { limit: 100 }, (q, signal) =>
  call(api.GET('/notice-channels', { params: { query: q }, signal })),
);

export type NoticeFilter = Omit<NonNullable<paths['/notices']['get']['parameters']['query']>, 'cursor'>;

export function noticesQuery(query: NoticeFilter) {
  return list(keys.notices, { ...query }, (q, signal) => call(api.GET('/notices', { params: { query: q }, signal })));
}

/** auditQuery is the newest entries of some actions, each asked for on its own. */
export function auditQuery(actions: readonly string[], limit: number) {
  return queryOptions({
    queryKey: [...keys.audit, actions, limit],
    queryFn: async ({ signal }) => {
      const pages = await Promise.all(
        actions.map((action) => call(api.GET('/audit-log', { params: { query: { action, limit } }, signal }))),
      );
      return pages
        .flatMap((page) => page.items ?? [])
        .sort((a, b) => Date.parse(b.at) - Date.parse(a.at))
        .slice(0, limit);
    },
  });
}

/** trialQrQuery fetches the picture itself, so that a refusal by WeChat can be read and shown. */
export function trialQrQuery(id: string) {
  return queryOptions({
    queryKey: ['trial-qr', id],
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    retry: false,
    queryFn: async ({ signal }) => {
      const response = await request(`/api/v1/submissions/${encodeURIComponent(id)}/trial-qr`, { signal });
      return response.blob();
    },
  });
}
