import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { useNavigate } from 'react-router-dom';
import { api, call, newIdempotencyKey } from '../api/client';
import { keys } from '../api/queries';
import type { RollbackPreflight, Rollout } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { Merchant } from '../components/Face';
import { ProblemPanel } from '../components/ProblemPanel';
import { Loading } from '../components/QueryView';

/** most is how many merchants of either kind are listed. */
const most = 200;

function Result({ found }: { found: RollbackPreflight }) {
  const { t } = useTranslation();
  const ready = found.ready ?? [];
  const blocked = found.blocked ?? [];
  return (
    <div className="preflight" data-testid="rollback-preflight">
      <div className="preflight__counts">
        <span className="bignumber bignumber--good" data-testid="rollback-ready">
          <b>{ready.length}</b> {t('board.rollbackReady')}
        </span>
        <span className={blocked.length > 0 ? 'bignumber bignumber--bad' : 'bignumber'} data-testid="rollback-blocked">
          <b>{blocked.length}</b> {t('board.rollbackBlocked')}
        </span>
      </div>
      <ul className="blockers">
        {blocked.slice(0, most).map((b) => (
          <li key={b.appid}>
            <Merchant name={b.nick_name ?? ''} appid={b.appid} />
            {(b.blockers ?? []).map((why) => (
              <div key={why.code} className="blocker">
                <span>{why.detail}</span>
                {why.hint && <small>{why.hint}</small>}
              </div>
            ))}
          </li>
        ))}
        {ready.slice(0, most).map((r) => (
          <li key={r.appid} className="wayback" data-testid={`rollback-${r.appid}`}>
            <Merchant name={r.nick_name} appid={r.appid} />
            <span className="muted">{t('board.rollbackFromTo', { from: r.from, to: r.to })}</span>
          </li>
        ))}
      </ul>
      {Math.max(ready.length, blocked.length) > most && (
        <p className="faint">{t('board.rollbackShown', { n: most })}</p>
      )}
    </div>
  );
}

/** RolloutRollback asks who can go back to the version before, and starts the rollout that takes them there. */
export function RolloutRollback({ rollout }: { rollout: Rollout }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const navigate = useNavigate();
  const confirm = useConfirm();
  const params = { path: { id: rollout.id } };
  const check = useMutation({
    mutationFn: () => call(api.POST('/rollouts/{id}/rollback/preflight', { params, body: {} })),
  });
  const ready = check.data?.ready ?? [];

  function start() {
    confirm({
      title: t('board.rollbackConfirm', { n: ready.length }),
      hint: t('board.rollbackHint'),
      ok: t('board.rollbackStart', { n: ready.length }),
      danger: true,
      run: async () => {
        const made = await call(
          api.POST('/rollouts/{id}/rollback', {
            params: { ...params, header: { 'Idempotency-Key': newIdempotencyKey() } },
            body: { appids: ready.map((r) => r.appid) },
          }),
        );
        await client.invalidateQueries({ queryKey: keys.rollouts });
        void navigate(`/rollouts/${made.id}`);
      },
    });
  }

  return (
    <div className="stack">
      <p className="muted">{t('board.rollbackIntro')}</p>
      {check.isError && <ProblemPanel error={check.error} onRetry={() => check.mutate()} />}
      {check.isPending && (
        <>
          <p role="status">{t('board.rollbackChecking')}</p>
          <Loading rows={4} />
        </>
      )}
      {check.data && <Result found={check.data} />}
      <div className="buttons">
        {!check.data && (
          <Button loading={check.isPending} onClick={() => check.mutate()} data-testid="rollback-check">
            {t('board.rollbackCheck')}
          </Button>
        )}
        {check.data &&
          (ready.length > 0 ? (
            <Button theme="danger" onClick={start} data-testid="rollback-start">
              {t('board.rollbackStart', { n: ready.length })}
            </Button>
          ) : (
            <p className="muted">{t('board.rollbackNone')}</p>
          ))}
      </div>
    </div>
  );
}
