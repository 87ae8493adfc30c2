import type { Role, User } from '../api/types';

export const roles: readonly Role[] = ['viewer', 'operator', 'admin'];

export const shortestPassword = 10;
export const longestPassword = 128;

/** passwordFits says whether a password has an allowed length; letters outside the usual planes count once. */
export function passwordFits(password: string): boolean {
  const n = [...password].length;
  return n >= shortestPassword && n <= longestPassword;
}

/** usernameFits says whether a user may be called so. */
export function usernameFits(name: string): boolean {
  return /^[\p{L}\p{N}][\p{L}\p{N}._@+-]{0,63}$/u.test(name);
}

// Nothing that is easily mistaken for something else. There are 32, so that a random byte chooses evenly.
const letters = 'abcdefghijkmnpqrstuvwxyz23456789';

/** madePassword makes a password to be handed to somebody: four groups of five letters, 100 random bits. */
export function madePassword(random: (n: number) => Uint8Array = (n) => crypto.getRandomValues(new Uint8Array(n))) {
  const all = Array.from(random(20), (b) => letters[b % letters.length]).join('');
  return all.replace(/.{5}(?=.)/g, '$&-');
}

/** lastAdmin says that a user is the only administrator, who cannot be deleted or given another role. */
export function lastAdmin(user: Pick<User, 'id' | 'role'>, all: readonly Pick<User, 'id' | 'role'>[]): boolean {
  return user.role === 'admin' && !all.some((u) => u.role === 'admin' && u.id !== user.id);
}

/** tidyCode takes out of a code what people put in to read it. */
export function tidyCode(typed: string): string {
  return typed.replace(/[\s-]/g, '').toLowerCase();
}

/** codeFits says whether a text may be a code of an app, or, where those count, a recovery code. */
export function codeFits(typed: string, recovery: boolean): boolean {
  const code = tidyCode(typed);
  return /^\d{6}$/.test(code) || (recovery && /^[a-z2-9]{16}$/.test(code));
}

const browsers: readonly (readonly [string, RegExp])[] = [
  ['WeChat', /MicroMessenger\//],
  ['Edge', /Edg(e|A|iOS)?\//],
  ['Opera', /OPR\//],
  ['Firefox', /(Firefox|FxiOS)\//],
  ['Chrome', /(Chrome|CriOS|Chromium|HeadlessChrome)\//],
  ['Safari', /Safari\//],
  ['curl', /^curl\//],
];

const systems: readonly (readonly [string, RegExp])[] = [
  ['iPadOS', /iPad/],
  ['iOS', /iPhone|iPod/],
  ['HarmonyOS', /HarmonyOS|OpenHarmony/],
  ['Android', /Android/],
  ['Windows', /Windows/],
  ['macOS', /Mac OS X|Macintosh/],
  ['ChromeOS', /CrOS/],
  ['Linux', /Linux/],
];

/** deviceOf names browser and system of a session, or repeats what the browser said of itself. */
export function deviceOf(userAgent: string): string {
  const name = (known: readonly (readonly [string, RegExp])[]) => known.find(([, sign]) => sign.test(userAgent))?.[0];
  const known = [name(browsers), name(systems)].filter(Boolean);
  return known.length > 0 ? known.join(' · ') : userAgent.slice(0, 60);
}

export const keyLives = ['30', '90', '365', 'never', 'own'] as const;
export type KeyLife = (typeof keyLives)[number];

/** keyExpiry is when a key made now ends: null for never, undefined for a date that is none or is over. */
export function keyExpiry(life: KeyLife, own: string, now: number): string | null | undefined {
  if (life === 'never') return null;
  if (life !== 'own') return new Date(now + Number(life) * 86_400_000).toISOString();
  const at = Date.parse(own);
  return Number.isNaN(at) || at <= now ? undefined : new Date(at).toISOString();
}

/** keyState says whether a key still opens anything, and whether it is about to end. */
export function keyState(expiresAt: string | null, now: number): 'good' | 'ending' | 'over' {
  if (expiresAt === null) return 'good';
  const left = Date.parse(expiresAt) - now;
  return left <= 0 ? 'over' : left < 7 * 86_400_000 ? 'ending' : 'good';
}

/** retentionDays reads how long entries are kept, 0 being for good; null for what is no such number. */
export function retentionDays(text: string): number | null {
  return /^\d{1,5}$/.test(text.trim()) && Number(text) <= 3650 ? Number(text) : null;
}
