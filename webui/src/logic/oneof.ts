/** oneOf lets a word from an address through if it is one of those known, so that an old link is no error. */
export function oneOf<T extends string>(word: string, known: readonly T[]): T | undefined {
  return known.find((k) => k === word);
}
