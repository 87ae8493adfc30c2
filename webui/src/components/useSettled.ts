import { useEffect, useState } from 'react';

/** useSettled hands a text on once it has not changed for a moment, so that typing does not ask the server each time. */
export function useSettled(value: string, pause = 350): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), pause);
    return () => clearTimeout(timer);
  }, [value, pause]);
  return settled;
}
