import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, call, request } from './client';
import { keys } from './queries';
import type { paths } from './schema';

// What is read here comes from WeChat at once: it is kept under the merchant, whose events make it out of date.
const part = (appid: string, name: string) => [...keys.authorizer(appid), name] as const;

export function testersQuery(appid: string) {
  return queryOptions({
    queryKey: part(appid, 'testers'),
    retry: false,
    queryFn: async ({ signal }) =>
      (await call(api.GET('/authorizers/{appid}/testers', { params: { path: { appid } }, signal }))).items ?? [],
  });
}

export function searchQuery(appid: string) {
  return queryOptions({
    queryKey: part(appid, 'search'),
    retry: false,
    queryFn: ({ signal }) =>
      call(api.GET('/authorizers/{appid}/search-status', { params: { path: { appid } }, signal })),
  });
}

export function libraryQuery(appid: string) {
  return queryOptions({
    queryKey: part(appid, 'library'),
    retry: false,
    queryFn: ({ signal }) =>
      call(api.GET('/authorizers/{appid}/support-version', { params: { path: { appid } }, signal })),
  });
}

export function visitQuery(appid: string) {
  return queryOptions({
    queryKey: part(appid, 'visit'),
    retry: false,
    queryFn: ({ signal }) =>
      call(api.GET('/authorizers/{appid}/visit-status', { params: { path: { appid } }, signal })),
  });
}

export function pagesQuery(appid: string) {
  return queryOptions({
    queryKey: ['trial-pages', appid],
    staleTime: 60_000,
    retry: false,
    queryFn: async ({ signal }) =>
      (await call(api.GET('/authorizers/{appid}/pages', { params: { path: { appid } }, signal }))).items ?? [],
  });
}

export function icpQuery(appid: string) {
  return queryOptions({
    queryKey: part(appid, 'icp'),
    retry: false,
    queryFn: ({ signal }) => call(api.GET('/authorizers/{appid}/icp', { params: { path: { appid } }, signal })),
  });
}

export function interfacesQuery(appid: string) {
  return queryOptions({
    queryKey: part(appid, 'interfaces'),
    retry: false,
    queryFn: async ({ signal }) =>
      (await call(api.GET('/authorizers/{appid}/privacy-interfaces', { params: { path: { appid } }, signal }))).items ??
      [],
  });
}

export function basicQuery(appid: string) {
  return queryOptions({
    queryKey: part(appid, 'basic'),
    retry: false,
    queryFn: ({ signal }) => call(api.GET('/authorizers/{appid}/basic-info', { params: { path: { appid } }, signal })),
  });
}

export function categoriesQuery(appid: string) {
  return queryOptions({
    queryKey: part(appid, 'categories'),
    retry: false,
    queryFn: ({ signal }) => call(api.GET('/authorizers/{appid}/categories', { params: { path: { appid } }, signal })),
  });
}

export function allCategoriesQuery(appid: string) {
  return queryOptions({
    queryKey: ['all-categories', appid],
    staleTime: 600_000,
    retry: false,
    queryFn: async ({ signal }) =>
      (await call(api.GET('/authorizers/{appid}/categories/all', { params: { path: { appid } }, signal }))).items ?? [],
  });
}

export function changesQuery(appid: string) {
  return infiniteQueryOptions({
    queryKey: part(appid, 'changes'),
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) =>
      call(
        api.GET('/authorizers/{appid}/changes', {
          params: { path: { appid }, query: { limit: 20, cursor: pageParam || undefined } },
          signal,
        }),
      ),
    getNextPageParam: (last) => last.next_cursor || undefined,
  });
}

export type RegistrationFilter = Omit<NonNullable<paths['/registrations']['get']['parameters']['query']>, 'cursor'>;

export function registrationsQuery(filter: RegistrationFilter) {
  return infiniteQueryOptions({
    queryKey: [...keys.registrations, 'list', filter],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) =>
      call(api.GET('/registrations', { params: { query: { ...filter, cursor: pageParam || undefined } }, signal })),
    getNextPageParam: (last) => last.next_cursor || undefined,
  });
}

export function registrationQuery(id: string) {
  return queryOptions({
    queryKey: keys.registration(id),
    queryFn: ({ signal }) => call(api.GET('/registrations/{id}', { params: { path: { id } }, signal })),
  });
}

function operation(appid: string, path: string): string {
  return `/api/v1/authorizers/${encodeURIComponent(appid)}/${path}`;
}

/** drawCode fetches the picture itself, so that a refusal by WeChat can be read and shown. */
export async function drawCode(appid: string, query: Record<string, string>): Promise<Blob> {
  const given = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ''));
  return (await request(operation(appid, `qrcode?${given}`))).blob();
}

// Pictures go as they are, which our OpenAPI describes as bytes.
const bytes = { 'Content-Type': 'application/octet-stream' };

export async function sendAvatar(appid: string, file: Blob, crop: Record<'x1' | 'y1' | 'x2' | 'y2', number>) {
  const part = new URLSearchParams(Object.entries(crop).map(([name, value]) => [name, String(value)]));
  await request(operation(appid, `avatar?${part}`), { method: 'POST', headers: bytes, body: file });
}

/** sendMedia keeps a picture at WeChat for three days and gives its media_id. */
export async function sendMedia(appid: string, file: Blob): Promise<string> {
  const answer = await request(operation(appid, 'media'), { method: 'POST', headers: bytes, body: file });
  return String(((await answer.json()) as { media_id?: unknown }).media_id ?? '');
}

export function merchantDomainsQuery(appid: string) {
  return queryOptions({
    queryKey: part(appid, 'domains'),
    retry: false,
    queryFn: ({ signal }) => call(api.GET('/authorizers/{appid}/domains', { params: { path: { appid } }, signal })),
  });
}

export function webviewDomainsQuery(appid: string) {
  return queryOptions({
    queryKey: part(appid, 'webview-domains'),
    retry: false,
    queryFn: ({ signal }) =>
      call(api.GET('/authorizers/{appid}/webview-domains', { params: { path: { appid } }, signal })),
  });
}

export function privacyQuery(appid: string) {
  return queryOptions({
    queryKey: part(appid, 'privacy'),
    retry: false,
    queryFn: ({ signal }) => call(api.GET('/authorizers/{appid}/privacy', { params: { path: { appid } }, signal })),
  });
}
