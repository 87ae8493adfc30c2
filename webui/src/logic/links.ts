/** plainKinds are the kinds of account a link is for as a rule; numberedKinds go by WeChat's number (auth_type). */
export const plainKinds = ['miniprogram', 'official', 'any'] as const;
export const numberedKinds = ['4', '5', '6', '8'] as const;
export type LinkKind = (typeof plainKinds)[number] | (typeof numberedKinds)[number];

const hour = 3600;
const day = 24 * hour;
const longestTtl = 366 * day;

export type TtlUnit = 'hours' | 'days';

/** ttlSeconds is how long a link is to live, or null where that cannot be: whole hours or days, at most 366 days. */
export function ttlSeconds(amount: string, unit: TtlUnit): number | null {
  if (!/^\d{1,5}$/.test(amount.trim())) return null;
  const seconds = Number(amount) * (unit === 'hours' ? hour : day);
  return seconds >= 1 && seconds <= longestTtl ? seconds : null;
}

export type ReturnTrouble = 'address' | 'credentials' | 'unlisted';

function parse(text: string): URL | null {
  // A browser reads more as an address than the server lets pass; what they read differently is none here.
  if (!/^https?:\/\/[^/\\]/i.test(text) || /[\s\\]/.test(text)) return null;
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

function covers(entry: URL, target: URL): boolean {
  if (entry.protocol !== target.protocol || entry.host !== target.host) return false;
  const prefix = entry.pathname.replace(/\/$/, '');
  return prefix === '' || target.pathname === prefix || target.pathname.startsWith(`${prefix}/`);
}

/** returnTrouble says what keeps an address from being one that merchants may be sent to. The server has the last word. */
export function returnTrouble(text: string, allowlist: readonly string[]): ReturnTrouble | null {
  const target = parse(text.trim());
  if (!target) return 'address';
  if (target.username !== '' || target.password !== '') return 'credentials';
  const listed = allowlist.some((entry) => {
    const allowed = parse(entry);
    return allowed !== null && covers(allowed, target);
  });
  return listed ? null : 'unlisted';
}

/** scopeIds reads numbers of permission sets, or null where something else stands among them. */
export function scopeIds(text: string): number[] | null {
  const parts = text.split(/[\s,;，；、]+/).filter((part) => part !== '');
  if (parts.some((part) => !/^[1-9]\d{0,5}$/.test(part))) return null;
  return [...new Set(parts.map(Number))];
}

/** posterAddress is the page to print, in the language of who prints it. */
export function posterAddress(posterUrl: string, language: string): string {
  return `${posterUrl}?lang=${language.startsWith('zh') ? 'zh' : 'en'}`;
}

/** downloads are the QR code as files: pixels for screens, lines for print. */
export function downloads(qrUrl: string): { png: string; svg: string } {
  return { png: `${qrUrl}?size=1024&download=1`, svg: `${qrUrl.replace(/\.png$/, '.svg')}?download=1` };
}
