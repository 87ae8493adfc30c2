import { useQueries, useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useRef, useState } from 'react';
import { type MessageFilter, messagePageSize, messagesPage } from '../api/messages';
import type { Message } from '../api/types';
import { begin, type Feed, heard, more, newer, reread, toTop } from '../logic/feed';

/** A text search goes on by itself for this many pages that are not full, then asks. */
const searchedByItself = 5;
/** Older pages in which something is still to happen are kept up to date, this many of them. */
const rereadPages = 3;

interface OlderPage {
  cursor: string;
  /** before is the last row in front of the page, last is its own last row. */
  before: string;
  last: string;
}

export function unsettled(m: Message): boolean {
  return m.state === 'pending' || (m.deliveries ?? []).some((d) => d.state === 'pending');
}

/**
 * useFeed is the list of messages for one filter, kept up to date. While rise is false, new ones wait. It is for a
 * component that is made anew with each filter.
 */
export function useFeed(filter: MessageFilter, rise: boolean) {
  const client = useQueryClient();
  const [feed, setFeed] = useState<Feed<Message>>();
  const [older, setOlder] = useState<OlderPage[]>([]);
  const [searchedTo, setSearchedTo] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [left, setLeft] = useState(filter.q ? searchedByItself : 0);

  const head = useQuery(messagesPage(filter, ''));
  const risesNow = useRef(rise);
  risesNow.current = rise;
  useEffect(() => {
    const page = head.data;
    if (!page) return;
    setFeed((old) => (old ? heard(old, page, risesNow.current) : begin(page)));
    setSearchedTo((old) => old ?? page.searched_to);
  }, [head.data]);

  const raise = useCallback(() => setFeed((old) => old && toTop(old)), []);
  useEffect(() => {
    if (rise) setFeed((old) => (old && old.waiting.length > 0 ? toTop(old) : old));
  }, [rise]);

  // Pages that were read before the list began anew from its top are no longer part of it.
  const shown = feed?.shown ?? [];
  const there = new Set(shown.map((m) => m.id));
  const watched = older
    .filter((page) => there.has(page.before) && shown.some((m) => within(page, m.id) && unsettled(m)))
    .slice(0, rereadPages);
  const again = useQueries({
    queries: watched.map((page) => ({ ...messagesPage(filter, page.cursor), staleTime: Number.POSITIVE_INFINITY })),
  });
  const news = again.map((q) => q.dataUpdatedAt).join();
  const latest = useRef({ watched, again });
  latest.current = { watched, again };
  useEffect(() => {
    if (news === '') return;
    setFeed((old) =>
      latest.current.watched.reduce((now, page, i) => {
        const data = latest.current.again[i]?.data;
        return now && data ? reread(now, data, page.before) : now;
      }, old),
    );
  }, [news]);

  const gone = useRef(false);
  useEffect(() => {
    gone.current = false;
    return () => {
      gone.current = true;
    };
  }, []);

  const next = feed?.next ?? '';
  const before = shown.at(-1)?.id ?? '';
  const load = useCallback(async () => {
    if (next === '') return;
    setBusy(true);
    setError(null);
    try {
      const page = await client.fetchQuery({ ...messagesPage(filter, next), staleTime: 0 });
      if (gone.current) return;
      setFeed((old) => (old && old.next === next ? more(old, page) : old));
      setSearchedTo(page.searched_to);
      const last = page.items?.at(-1)?.id;
      if (last && before) setOlder((old) => [...old, { cursor: next, before, last }]);
    } catch (thrown) {
      if (!gone.current) setError(thrown);
    } finally {
      if (!gone.current) setBusy(false);
    }
  }, [client, filter, next, before]);

  const searching = Boolean(filter.q) && feed !== undefined && next !== '' && left > 0 && error === null;
  const unfilled = shown.length < messagePageSize;
  useEffect(() => {
    if (!searching || busy) return;
    if (!unfilled) {
      setLeft(0);
      return;
    }
    setLeft((n) => n - 1);
    void load();
  }, [searching, busy, unfilled, load]);

  /** loadMore is asked for by hand; a text search then goes on until something is found. */
  const loadMore = useCallback(() => {
    if (filter.q) setLeft(searchedByItself);
    void load();
  }, [filter.q, load]);

  return {
    head,
    feed,
    raise,
    loadMore,
    busy: busy || searching,
    error,
    searchedTo: next === '' ? null : searchedTo,
  };
}

function within(page: OlderPage, id: string): boolean {
  return newer(page.before, id) && !newer(page.last, id);
}
