import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate } from 'react-router-dom';
import { api, call, newIdempotencyKey } from '../api/client';
import { registrationsQuery } from '../api/operations';
import { keys } from '../api/queries';
import type { AuthorizerDetail } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { itemsOf } from '../components/DataList';
import { Granted } from '../components/Granted';
import { Panel } from '../components/PageHead';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { RegistrationTag } from './RegistrationTag';

/** MerchantAdminChange has a mini program's administrator changed, and shows how the last change stands. */
export function MerchantAdminChange({ merchant }: { merchant: AuthorizerDetail }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const navigate = useNavigate();
  const may = useCan('operator');
  const { appid } = merchant;
  const [last] = itemsOf(useInfiniteQuery(registrationsQuery({ appid, kind: 'admin_change', limit: 1 })));
  const open = last !== undefined && ['pending', 'sent', 'waiting'].includes(last.state);

  function change() {
    const key = newIdempotencyKey(); // the same for every try of one question
    confirm({
      title: t('ops.adminConfirm', { name: merchant.nick_name || appid }),
      hint: t('ops.adminConfirmHint'),
      ok: t('ops.adminChange'),
      run: async () => {
        const made = await call(
          api.POST('/registrations', {
            body: { kind: 'admin_change', appid },
            params: { header: { 'Idempotency-Key': key } },
          }),
        );
        client.setQueryData(keys.registration(made.id), made);
        void client.invalidateQueries({ queryKey: [...keys.registrations, 'list'] });
        void navigate(`/registrations/${made.id}`);
      },
    });
  }

  return (
    <Panel title={t('ops.admin')} hint={t('ops.adminHint')} testId="ops-admin">
      <Granted merchant={merchant} operation="basic">
        {last ? (
          <p className="inline" data-testid="admin-change-last">
            <RegistrationTag state={last.state} />
            <Link to={`/registrations/${last.id}`}>{t('registrations.kinds.admin_change')}</Link>
            <Time value={last.created_at} />
          </p>
        ) : (
          <p className="muted">{t('ops.adminNone')}</p>
        )}
        {may && (
          <div className="buttons">
            <Button variant="outline" theme="default" disabled={open} onClick={change} data-testid="change-admin">
              {t('ops.adminChange')}
            </Button>
          </div>
        )}
      </Granted>
    </Panel>
  );
}
