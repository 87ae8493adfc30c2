import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, call } from './client';
import type { paths } from './schema';

/** adminKeys are the names under which answers about users, the program and cloud environments are kept. */
export const adminKeys = {
  users: ['users'] as const,
  apiKeys: ['api-keys'] as const,
  sessions: ['sessions'] as const,
  totp: ['totp'] as const,
  security: ['security'] as const,
  auditLog: ['audit', 'log'] as const,
  system: ['system'] as const,
  jobs: ['jobs'] as const,
  cloudEnvs: ['cloud-envs'] as const,
  cloudShares: ['cloud-shares'] as const,
};

/** No live event tells of these; what is on the screen is read again so often. */
const often = 5_000;
const seldom = 30_000;

export const usersQuery = infiniteQueryOptions({
  queryKey: adminKeys.users,
  initialPageParam: '',
  refetchInterval: seldom,
  queryFn: ({ pageParam, signal }) =>
    call(api.GET('/users', { params: { query: { limit: 100, cursor: pageParam || undefined } }, signal })),
  getNextPageParam: (last) => last.next_cursor || undefined,
});

export const apiKeysQuery = infiniteQueryOptions({
  queryKey: adminKeys.apiKeys,
  initialPageParam: '',
  refetchInterval: seldom,
  queryFn: ({ pageParam, signal }) =>
    call(api.GET('/api-keys', { params: { query: { limit: 50, cursor: pageParam || undefined } }, signal })),
  getNextPageParam: (last) => last.next_cursor || undefined,
});

/** sessionsQuery: without a user, one's own. */
export function sessionsQuery(userId?: string) {
  return infiniteQueryOptions({
    queryKey: [...adminKeys.sessions, userId ?? 'own'],
    initialPageParam: '',
    refetchInterval: seldom,
    queryFn: ({ pageParam, signal }) =>
      call(
        api.GET('/sessions', {
          params: { query: { limit: 20, cursor: pageParam || undefined, user_id: userId } },
          signal,
        }),
      ),
    getNextPageParam: (last) => last.next_cursor || undefined,
  });
}

export const totpQuery = queryOptions({
  queryKey: adminKeys.totp,
  queryFn: ({ signal }) => call(api.GET('/session/totp', { signal })),
});

export const securityQuery = queryOptions({
  queryKey: adminKeys.security,
  queryFn: ({ signal }) => call(api.GET('/security', { signal })),
});

export type AuditFilter = NonNullable<paths['/audit-log.csv']['get']['parameters']['query']>;

export function auditLogQuery(filter: AuditFilter) {
  return infiniteQueryOptions({
    queryKey: [...adminKeys.auditLog, filter],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) =>
      call(
        api.GET('/audit-log', { params: { query: { ...filter, limit: 50, cursor: pageParam || undefined } }, signal }),
      ),
    getNextPageParam: (last) => last.next_cursor || undefined,
  });
}

export const systemQuery = queryOptions({
  queryKey: adminKeys.system,
  refetchInterval: often,
  queryFn: ({ signal }) => call(api.GET('/system', { signal })),
});

export type JobFilter = Omit<NonNullable<paths['/jobs']['get']['parameters']['query']>, 'cursor' | 'limit'>;

export function jobsQuery(filter: JobFilter) {
  return infiniteQueryOptions({
    queryKey: [...adminKeys.jobs, filter],
    initialPageParam: '',
    refetchInterval: often,
    queryFn: ({ pageParam, signal }) =>
      call(api.GET('/jobs', { params: { query: { ...filter, limit: 20, cursor: pageParam || undefined } }, signal })),
    getNextPageParam: (last) => last.next_cursor || undefined,
  });
}

// Environments are read from WeChat at each look.
export const cloudEnvsQuery = queryOptions({
  queryKey: adminKeys.cloudEnvs,
  staleTime: 60_000,
  retry: false,
  queryFn: ({ signal }) => call(api.GET('/cloud-envs', { signal })),
});

export function cloudServicesQuery(env: string) {
  return queryOptions({
    queryKey: [...adminKeys.cloudEnvs, env, 'services'],
    retry: false,
    queryFn: ({ signal }) => call(api.GET('/cloud-envs/{env}/services', { params: { path: { env } }, signal })),
  });
}

export function cloudVersionsQuery(env: string, service: string) {
  return queryOptions({
    queryKey: [...adminKeys.cloudEnvs, env, 'services', service],
    retry: false,
    queryFn: ({ signal }) =>
      call(api.GET('/cloud-envs/{env}/services/{service}/versions', { params: { path: { env, service } }, signal })),
  });
}

export function cloudTokenQuery(env: string) {
  return queryOptions({
    queryKey: [...adminKeys.cloudEnvs, env, 'token'],
    retry: false,
    queryFn: ({ signal }) => call(api.GET('/cloud-envs/{env}/token', { params: { path: { env } }, signal })),
  });
}

export function cloudPushQuery(appid: string) {
  return queryOptions({
    queryKey: ['cloud-push', appid],
    retry: false,
    queryFn: ({ signal }) => call(api.GET('/authorizers/{appid}/cloud-push', { params: { path: { appid } }, signal })),
  });
}

export type ShareFilter = Omit<NonNullable<paths['/cloud-shares']['get']['parameters']['query']>, 'cursor' | 'limit'>;

export function cloudSharesQuery(filter: ShareFilter) {
  return infiniteQueryOptions({
    queryKey: [...adminKeys.cloudShares, filter],
    initialPageParam: '',
    placeholderData: keepPreviousData,
    refetchInterval: often,
    queryFn: ({ pageParam, signal }) =>
      call(
        api.GET('/cloud-shares', {
          params: { query: { ...filter, limit: 50, cursor: pageParam || undefined } },
          signal,
        }),
      ),
    getNextPageParam: (last) => last.next_cursor || undefined,
  });
}
