import type { paletteZhCN } from './palette.zh-CN';

/** Texts of the palette, the shortcuts and the theme. */
export const paletteEn: typeof paletteZhCN = {
  palette: {
    open: 'Go to',
    hint: 'A merchant’s name or appid, a rollout, or a page',
    pages: 'Pages',
    merchants: 'Merchants',
    rollouts: 'Rollouts',
    nothing: 'Nothing found',
    searching: 'Searching',
    keys: '↑↓ choose · Enter opens · Esc closes',
    shortcuts: 'Keyboard shortcuts',
    shortcutList: {
      palette: 'Go to anything',
      help: 'Show the shortcuts',
      dashboard: 'Overview',
      authorizers: 'Merchants',
      rollouts: 'Rollouts',
      messages: 'Messages',
    },
  },
  theme: {
    label: 'Theme',
    system: 'as the device',
    light: 'light',
    dark: 'dark',
    change: 'Theme: {{now}}. Click to change',
  },
};
