import { useSyncExternalStore } from 'react';

const listeners = new Set<() => void>();
let beat = 0;
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void) {
  listeners.add(listener);
  timer ??= setInterval(() => {
    beat++;
    for (const l of listeners) l();
  }, 10_000);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** useNow is the time now; whoever uses it is drawn again every ten seconds, all at once. */
export function useNow(): number {
  useSyncExternalStore(subscribe, () => beat);
  return Date.now();
}
