import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { LogoutIcon } from 'tdesign-icons-react';
import { api, call } from '../api/client';
import { keys } from '../api/queries';
import { Button } from './Button';
import { toast } from './toast';

export function SignOutButton() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);

  async function signOut() {
    setBusy(true);
    try {
      await call(api.DELETE('/session'));
      client.setQueryData(keys.left, true);
      client.setQueryData(keys.session, null);
    } catch (thrown) {
      toast.problem(thrown, t('problem.generic'));
    } finally {
      setBusy(false);
    }
  }

  return (
    <Button
      variant="outline"
      theme="default"
      icon={<LogoutIcon />}
      loading={busy}
      onClick={() => void signOut()}
      data-testid="sign-out"
    >
      {t('account.signOut')}
    </Button>
  );
}
