import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, call } from './client';
import { keys } from './queries';
import type { Preflight, RolloutRequest, Targets } from './types';

const endless = {
  initialPageParam: '',
  getNextPageParam: (last: { next_cursor: string }) => last.next_cursor || undefined,
};

/** targetsQuery counts who is meant; body is the targets as JSON, empty while nobody is chosen. */
export function targetsQuery(body: string) {
  return queryOptions({
    queryKey: [...keys.authorizers, 'count', 'targets', body],
    enabled: body !== '',
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => call(api.POST('/rollouts/targets', { body: JSON.parse(body) as Targets, signal })),
  });
}

/** previewQuery makes one merchant's ext_json; only these parts of the rollout count. */
export function previewQuery(appid: string, templateId: number | null, ext: string) {
  return queryOptions({
    queryKey: [...keys.authorizer(appid), 'preview', templateId, ext],
    enabled: appid !== '' && templateId !== null,
    retry: false,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => {
      const body: RolloutRequest & { appid: string } = {
        appid,
        template_id: templateId ?? 0,
        user_version: '-',
        targets: { appids: [appid] },
      };
      if (ext !== '') body.ext_json = JSON.parse(ext) as RolloutRequest['ext_json'];
      return call(api.POST('/rollouts/preview', { body, signal }));
    },
  });
}

/** preflightQuery follows a check. Events tell of it; asking is for when those are lost. */
export function preflightQuery(id: string) {
  return queryOptions<Preflight, Error>({
    queryKey: keys.preflight(id),
    enabled: id !== '',
    refetchInterval: (q) => (q.state.data?.state === 'running' ? 3000 : false),
    queryFn: ({ signal }) => call(api.GET('/preflights/{id}', { params: { path: { id } }, signal })),
  });
}

export function preflightItemsQuery(id: string, blocked: boolean) {
  return infiniteQueryOptions({
    queryKey: [...keys.preflight(id), 'items', blocked],
    ...endless,
    placeholderData: keepPreviousData,
    queryFn: ({ pageParam, signal }) =>
      call(
        api.GET('/preflights/{id}/items', {
          params: { path: { id }, query: { blocked: blocked || undefined, limit: 50, cursor: pageParam || undefined } },
          signal,
        }),
      ),
  });
}

// Both kinds of profiles are few: one page has them all.

export const domainProfilesQuery = infiniteQueryOptions({
  queryKey: keys.domainProfiles,
  ...endless,
  queryFn: ({ pageParam, signal }) =>
    call(api.GET('/domain-profiles', { params: { query: { limit: 100, cursor: pageParam || undefined } }, signal })),
});

export const privacyProfilesQuery = infiniteQueryOptions({
  queryKey: keys.privacyProfiles,
  ...endless,
  queryFn: ({ pageParam, signal }) =>
    call(api.GET('/privacy-profiles', { params: { query: { limit: 100, cursor: pageParam || undefined } }, signal })),
});

/** liveVersionsQuery is kept under the merchants, whose events make it out of date. */
export const liveVersionsQuery = queryOptions({
  queryKey: [...keys.authorizers, 'list', 'live-versions'],
  queryFn: async ({ signal }) => (await call(api.GET('/live-versions', { signal }))).items ?? [],
});

export function liveMerchantsQuery(version: string) {
  return infiniteQueryOptions({
    queryKey: [...keys.authorizers, 'list', 'live-merchants', version],
    ...endless,
    queryFn: ({ pageParam, signal }) =>
      call(
        api.GET('/live-versions/authorizers', {
          params: { query: { user_version: version, limit: 50, cursor: pageParam || undefined } },
          signal,
        }),
      ),
  });
}
