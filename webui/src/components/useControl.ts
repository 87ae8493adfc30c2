import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { keys } from '../api/queries';
import { control } from '../api/simulator';
import { toast } from './toast';

/** useControl does something in the simulator and reads its state again. */
export function useControl() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [busy, setBusy] = useState('');
  async function act(name: string, ...call: Parameters<typeof control>) {
    setBusy(name);
    try {
      await control(...call);
      toast.success(name === 'fault' ? t('simulator.injected') : t('common.done'));
    } catch (thrown) {
      toast.problem(thrown, t('problem.generic'));
    } finally {
      setBusy('');
      await client.invalidateQueries({ queryKey: keys.simulator });
    }
  }
  return { act, busy };
}
