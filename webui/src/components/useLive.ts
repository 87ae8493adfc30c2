import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { follow, type LiveState } from '../api/live';
import { keys } from '../api/queries';

/** useLive keeps every query on the page up to date with the server's events for as long as somebody is signed in. */
export function useLive(enabled: boolean): LiveState {
  const client = useQueryClient();
  const [state, setState] = useState<LiveState>('connecting');
  useEffect(() => {
    if (!enabled) return;
    return follow({
      open: () => new EventSource('/api/v1/events'),
      onState: setState,
      onOutdated: (outdated) =>
        outdated === null
          ? client.invalidateQueries()
          : Promise.all(outdated.map((queryKey) => client.invalidateQueries({ queryKey }))),
      onRefused: () => void client.invalidateQueries({ queryKey: keys.session }),
    });
  }, [enabled, client]);
  return state;
}
