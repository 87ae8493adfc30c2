import { useSyncExternalStore } from 'react';
import { readTheme, shownMode, type Theme } from '../logic/theme';

const remembered = 'wxsteward.theme';
const dark = window.matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();
let theme: Theme = 'system';

function draw() {
  document.documentElement.setAttribute('theme-mode', shownMode(theme, dark.matches));
}

/** startTheme colours the page before anything is drawn, and follows the device while nothing is chosen. */
export function startTheme() {
  try {
    theme = readTheme(localStorage.getItem(remembered));
  } catch {
    // Storage may be forbidden.
  }
  draw();
  dark.addEventListener('change', draw);
}

export function setTheme(next: Theme) {
  theme = next;
  try {
    localStorage.setItem(remembered, next);
  } catch {
    // Then the choice lasts until the page is closed.
  }
  draw();
  for (const listener of listeners) listener();
}

export function useTheme(): Theme {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => theme,
  );
}
