const hour = 3_600_000;

export const spans = ['1h', '24h', '7d', '30d'] as const;
export type Span = (typeof spans)[number];

const lengths: Record<Span, number> = { '1h': hour, '24h': 24 * hour, '7d': 7 * 24 * hour, '30d': 30 * 24 * hour };

/** spanStart is when a span that ends now has begun. */
export function spanStart(span: Span, now: number): string {
  return new Date(now - lengths[span]).toISOString();
}

/** localInput writes a time as an input of type datetime-local takes it, in the reader's time zone. */
export function localInput(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return '';
  const two = (n: number) => String(n).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** fromLocalInput reads it back; empty for nothing. */
export function fromLocalInput(text: string): string {
  const at = new Date(text);
  return text === '' || Number.isNaN(at.getTime()) ? '' : at.toISOString();
}

/** validTime lets only times through that a server reads, so that a spoilt address is no error. */
export function validTime(text: string): string | undefined {
  return /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)) ? new Date(text).toISOString() : undefined;
}
