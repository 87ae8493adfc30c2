import type { PreflightItem } from '../api/types';

function namesOf(items: readonly PreflightItem[], code: string, kind?: string): string[] {
  const found = items
    .flatMap((item) => item.blockers ?? [])
    .filter((b) => b.code === code && (kind === undefined || b.kind === kind))
    .flatMap((b) => b.names ?? []);
  return [...new Set(found)].sort();
}

/** lackingDomains are those that the platform must have before these merchants can use them. */
export function lackingDomains(items: readonly PreflightItem[], kind: 'server' | 'webview'): string[] {
  return namesOf(items, 'domain_not_on_platform', kind);
}

/** lackingKeys are kinds of data that the code uses without a purpose written down. */
export function lackingKeys(items: readonly PreflightItem[]): string[] {
  return namesOf(items, 'privacy_missing');
}

/**
 * onceOf lets a preflight be started once: when the answer was lost, starting it again - from the dialog, another step or
 * after a reload - gets what the first call made. A call that was refused leaves nothing behind and may be repeated.
 */
export function onceOf(preflight: string) {
  return { 'Idempotency-Key': `preflight-${preflight}` };
}

/** withKeys adds rows for keys that have none. */
export function withKeys<R extends { privacy_key: string; privacy_text: string }>(
  rows: readonly R[],
  wanted: string[],
) {
  const there = new Set(rows.map((row) => row.privacy_key.trim()));
  return [...rows, ...wanted.filter((k) => !there.has(k)).map((k) => ({ privacy_key: k, privacy_text: '' }))];
}
