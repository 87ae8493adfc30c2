import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { sessionQuery } from '../../api/queries';
import { type Draft, emptyDraft, readDraft, untouched, writeDraft } from '../../logic/wizard';

const place = 'wxsteward.rollout-draft';

function kept(user: string): Draft {
  try {
    return readDraft(sessionStorage.getItem(place), user);
  } catch {
    return emptyDraft(); // storage may be forbidden
  }
}

/** useDraft holds the rollout being written; it outlives leaving the page and reloading, in this tab. */
export function useDraft() {
  const { data: session } = useQuery(sessionQuery);
  const user = session?.user.username ?? '';
  const [draft, setDraft] = useState<Draft>(() => kept(user));
  const [restored, setRestored] = useState(() => !untouched(draft));
  const over = useRef(false);

  useEffect(() => {
    if (over.current) return;
    try {
      if (untouched(draft)) sessionStorage.removeItem(place);
      else sessionStorage.setItem(place, writeDraft(user, draft));
    } catch {
      // Then it lasts until the page is left.
    }
  }, [draft, user]);

  /** end forgets the draft: it has become a rollout. */
  function end() {
    over.current = true;
    try {
      sessionStorage.removeItem(place);
    } catch {
      // There is nothing to forget.
    }
  }

  function discard(to: Draft) {
    setDraft(to);
    setRestored(false);
  }

  return { draft, setDraft, restored, discard, end };
}
