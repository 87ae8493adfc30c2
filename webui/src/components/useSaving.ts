import { useState } from 'react';

/** useSaving runs what a form sends: busy while it is under way, error when it failed. */
export function useSaving() {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  async function run(send: () => Promise<unknown>): Promise<void> {
    setBusy(true);
    setError(null);
    try {
      await send();
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }

  return { busy, error, run };
}
