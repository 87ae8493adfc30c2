import { useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { actOnMany } from '../api/audits';
import { api, call } from '../api/client';
import { keys } from '../api/queries';
import type { CanaryHold as Hold, Rollout } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { useCan } from '../components/session';
import { toast } from '../components/toast';

/** most is how many canaries are named. */
const most = 5;

/** CanaryHold says that canaries are blocked, what to do about each, and who waits for them. */
export function CanaryHold({ rollout, hold }: { rollout: Rollout; hold: Hold }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  const blocked = hold.blocked ?? [];
  const n = blocked.length;

  async function looked() {
    await Promise.all([
      client.invalidateQueries({ queryKey: keys.rollouts }),
      client.invalidateQueries({ queryKey: keys.submissions }),
    ]);
  }

  function retry() {
    confirm({
      title: t('board.canaryRetryConfirm', { n }),
      hint: t('submission.confirmHint.retry'),
      ok: t('board.canaryRetry'),
      run: async () => {
        const answer = await actOnMany(
          'retry',
          blocked.map((b) => b.submission_id),
        );
        await looked();
        const failed = answer.failed?.[0];
        if (failed) toast.error(failed.detail);
        else toast.success(t('common.done'));
      },
    });
  }

  function promote() {
    confirm({
      title: t('board.canaryPromoteConfirm', { n: hold.waiting }),
      hint: t('board.canaryPromoteHint'),
      ok: t('board.canaryPromote'),
      run: async () => {
        await call(api.POST('/rollouts/{id}/promote', { params: { path: { id: rollout.id } } }));
        await looked();
        toast.success(t('common.done'));
      },
    });
  }

  return (
    <div className="banner banner--bad" role="status" data-testid="canary-hold">
      <p>
        <b>{t('board.canaryHold', { n, of: hold.canaries, waiting: hold.waiting })}</b>
      </p>
      <ul className="canaries">
        {blocked.slice(0, most).map((b) => (
          <li key={b.appid}>
            <Link to={`/rollouts/${rollout.id}/${b.submission_id}`} data-testid={`canary-${b.appid}`}>
              {b.nick_name || b.appid}
            </Link>
            {b.error && <span>{b.error.hint || b.error.detail || b.error.errmsg}</span>}
          </li>
        ))}
      </ul>
      {n > most && <Link to={`/rollouts/${rollout.id}?state=blocked`}>{t('board.canaryAll', { n })}</Link>}
      {may && (
        <div className="buttons">
          <Button onClick={retry} data-testid="canary-retry">
            {t('board.canaryRetry')}
          </Button>
          <Button variant="outline" theme="default" onClick={promote} data-testid="canary-promote">
            {t('board.canaryPromote')}
          </Button>
        </div>
      )}
    </div>
  );
}
