import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, call, request } from './client';
import { keys } from './queries';
import type { Import, ImportItem, Note, Page, SyncItem } from './types';

const endless = {
  initialPageParam: '',
  getNextPageParam: (last: { next_cursor: string }) => last.next_cursor || undefined,
};

/** labelsQuery has labels in use with how many merchants have each, in alphabetical order. */
export function labelsQuery(q = '') {
  return queryOptions({
    queryKey: [...keys.authorizers, 'labels', 'counted', q],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      call(api.GET('/authorizers/labels', { params: { query: { limit: 500, q: q || undefined } }, signal })),
  });
}

/** syncsQuery has the latest synchronizations, the newest first. Events tell of them; asking is for when those are lost. */
export const syncsQuery = queryOptions<Page<SyncItem>, Error>({
  queryKey: [...keys.syncs, 'list'],
  refetchInterval: (q) => (q.state.data?.items?.[0]?.state === 'running' ? 5000 : false),
  queryFn: ({ signal }) => call(api.GET('/authorizers/sync', { signal })),
});

export function syncQuery(id: string) {
  return queryOptions({
    queryKey: [...keys.syncs, 'one', id],
    queryFn: ({ signal }) => call(api.GET('/authorizers/sync/{id}', { params: { path: { id } }, signal })),
  });
}

export const importsQuery = queryOptions({
  queryKey: [...keys.imports, 'list'],
  queryFn: ({ signal }) => call(api.GET('/authorizers/imports', { signal })),
});

export function importQuery(id: string) {
  return queryOptions<Import, Error>({
    queryKey: [...keys.imports, 'one', id],
    refetchInterval: (q) => (q.state.data?.state === 'running' ? 5000 : false),
    queryFn: ({ signal }) => call(api.GET('/authorizers/imports/{id}', { params: { path: { id } }, signal })),
  });
}

export function importErrorsQuery(id: string) {
  return infiniteQueryOptions({
    queryKey: [...keys.imports, 'errors', id],
    ...endless,
    queryFn: ({ pageParam, signal }) =>
      call(
        api.GET('/authorizers/imports/{id}/errors', {
          params: { path: { id }, query: { limit: 50, cursor: pageParam || undefined } },
          signal,
        }),
      ),
  });
}

/** startImport sends a file; what comes back is the import at its beginning. */
export async function startImport(file: Blob, options: { name: string; dryRun: boolean; mode: string }) {
  const query = new URLSearchParams({
    dry_run: String(options.dryRun),
    mode: options.mode,
    name: options.name.slice(0, 200),
  });
  const answer = await request(`/api/v1/authorizers/imports?${query}`, {
    method: 'POST',
    headers: { 'Content-Type': 'text/csv' },
    body: file,
  });
  return (await answer.json()) as ImportItem;
}

export function notesQuery(appid: string) {
  return infiniteQueryOptions({
    queryKey: [...keys.authorizer(appid), 'notes'],
    ...endless,
    queryFn: ({ pageParam, signal }) =>
      call(
        api.GET('/authorizers/{appid}/notes', {
          params: { path: { appid }, query: { limit: 20, cursor: pageParam || undefined } },
          signal,
        }),
      ),
  });
}

export function addNote(appid: string, text: string): Promise<Note> {
  return call(api.POST('/authorizers/{appid}/notes', { params: { path: { appid } }, body: { text } }));
}

export function deleteNote(appid: string, id: string) {
  return call(api.DELETE('/authorizers/{appid}/notes/{id}', { params: { path: { appid, id } } }));
}

export function timelineQuery(appid: string) {
  return infiniteQueryOptions({
    queryKey: keys.timeline(appid),
    ...endless,
    queryFn: ({ pageParam, signal }) =>
      call(
        api.GET('/authorizers/{appid}/timeline', {
          params: { path: { appid }, query: { limit: 30, cursor: pageParam || undefined } },
          signal,
        }),
      ),
  });
}
