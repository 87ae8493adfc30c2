import { useState } from 'react';
import { changedNames, editedSince, type Texts, withTheirs } from '../logic/edited';

/** useTexts holds the fields of a form over what is stored. What others save is shown in the fields not edited here. */
export function useTexts<T extends Texts>(stored: T) {
  const [base, setBase] = useState(stored);
  const [texts, setTexts] = useState(stored);
  const next = withTheirs(base, texts, stored);
  if (changedNames(base, next.base).length > 0) {
    setBase(next.base);
    setTexts(next.now);
  }
  const changed = changedNames(base, texts);
  return {
    texts,
    changed,
    /** disputed: others saved a field that is edited here. */
    disputed: changed.some((name) => stored[name] !== base[name]),
    set: (part: Partial<T>) => setTexts((old) => ({ ...old, ...part })),
    takeTheirs: () => {
      setBase(stored);
      setTexts(stored);
    },
    /** saved goes on from what the server answered to what was sent. */
    saved: (sent: T, answer: T) => {
      setBase(answer);
      setTexts((now) => editedSince(sent, now, answer));
    },
  };
}
