/** Theme is how the pages are coloured; system follows the device. */
export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

export function readTheme(remembered: string | null): Theme {
  return themes.find((t) => t === remembered) ?? 'system';
}

/** shownMode is what is drawn, given whether the device asks for dark pages. */
export function shownMode(theme: Theme, dark: boolean): 'light' | 'dark' {
  if (theme === 'system') return dark ? 'dark' : 'light';
  return theme;
}

/** nextTheme is what a button that changes the theme leads to. */
export function nextTheme(theme: Theme): Theme {
  return themes[(themes.indexOf(theme) + 1) % themes.length] ?? 'system';
}
