/** places are the pages that two keys lead to: g, then the letter. */
export const places = {
  d: { key: 'dashboard', to: '/' },
  m: { key: 'authorizers', to: '/authorizers' },
  r: { key: 'rollouts', to: '/rollouts' },
  e: { key: 'messages', to: '/messages' },
} as const;

export type Command = { go: string } | 'palette' | 'help' | 'wait' | null;

interface Pressed {
  key: string;
  ctrl: boolean;
  alt: boolean;
  /** typing says that the keyboard is in a field. */
  typing: boolean;
}

/** commandOf says what a key means; waiting is whether g was pressed just before. */
export function commandOf({ key, ctrl, alt, typing }: Pressed, waiting: boolean): Command {
  if (ctrl && !alt && key.toLowerCase() === 'k') return 'palette';
  if (typing || ctrl || alt) return null;
  if (waiting && key in places) return { go: places[key as keyof typeof places].to };
  if (key === 'g') return 'wait';
  if (key === '?') return 'help';
  if (key === '/') return 'palette';
  return null;
}
