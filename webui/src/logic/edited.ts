/** Texts are the fields of a form, by name. */
export type Texts = Readonly<Record<string, string>>;

export function changedNames<T extends Texts>(base: T, now: T): (keyof T & string)[] {
  return Object.keys(now).filter((name) => now[name] !== base[name]);
}

/** editedSince is what was saved, but for the fields that were edited on while it was on its way. */
export function editedSince<T extends Texts>(sent: T, now: T, saved: T): T {
  return { ...saved, ...pick(now, changedNames(sent, now)) };
}

/**
 * withTheirs takes over what others saved of the fields that are not edited here. base is what the edits began with; it
 * stays where both sides changed a field, and differs from stored there.
 */
export function withTheirs<T extends Texts>(base: T, now: T, stored: T): { base: T; now: T } {
  const own = changedNames(base, now);
  const other = own.filter((name) => now[name] !== stored[name]);
  return { base: { ...stored, ...pick(base, other) }, now: { ...stored, ...pick(now, own) } };
}

/** notSent leaves out what was sent just so; what was typed meanwhile stays. */
export function notSent(sent: Texts, now: Texts): Texts {
  return Object.fromEntries(Object.entries(now).filter(([name, text]) => text !== sent[name]));
}

function pick<T extends Texts>(from: T, names: readonly string[]): Partial<T> {
  return Object.fromEntries(names.map((name) => [name, from[name]])) as Partial<T>;
}
