import { useCallback } from 'react';
import { useSearchParams } from 'react-router-dom';

/** useFilter keeps the filters of a list in the address, so that going back finds them again. */
export function useFilter<K extends string>(names: readonly K[]) {
  const [params, setParams] = useSearchParams();
  const filter = Object.fromEntries(names.map((n) => [n, params.get(n) ?? ''])) as Record<K, string>;
  const set = useCallback(
    (name: K, value: string) => {
      setParams(
        (old) => {
          const next = new URLSearchParams(old);
          if (value === '') next.delete(name);
          else next.set(name, value);
          return next;
        },
        { replace: true },
      );
    },
    [setParams],
  );
  const setSome = useCallback(
    (values: Partial<Record<K, string>>) => {
      setParams(
        (old) => {
          const next = new URLSearchParams(old);
          for (const [name, value] of Object.entries<string | undefined>(values)) {
            if (value) next.set(name, value);
            else next.delete(name);
          }
          return next;
        },
        { replace: true },
      );
    },
    [setParams],
  );
  return [filter, set, setSome] as const;
}
