import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate, useParams } from 'react-router-dom';
import { DownloadIcon } from 'tdesign-icons-react';
import { Checkbox } from 'tdesign-react';
import { api, call } from '../api/client';
import { keys, rolloutQuery } from '../api/queries';
import type { LeftOut, Rollout } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { PageHead, Pairs, Panel } from '../components/PageHead';
import { QueryView } from '../components/QueryView';
import { SidePanel } from '../components/SidePanel';
import { StateBar, ToneLegend } from '../components/StateBar';
import { RolloutTag, ToneTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { useNow } from '../components/useNow';
import { paceOf } from '../logic/board';
import { finishedPercent, type RolloutAction, rolloutActionsFor } from '../logic/states';
import { absolute, told } from '../logic/time';
import { CanaryHold } from './CanaryHold';
import { RolloutEdit } from './RolloutEdit';
import { RolloutMerchants } from './RolloutMerchants';
import { RolloutRollback } from './RolloutRollback';
import { StrategyWords, WindowWords } from './StrategyWords';
import { SubmissionView } from './SubmissionView';

/** post does it and tells whom a retry left out; withdraw is for cancel alone: audits under way are taken back. */
async function post(action: RolloutAction, id: string, withdraw: boolean): Promise<LeftOut[]> {
  const params = { path: { id } };
  switch (action) {
    case 'pause':
      await call(api.POST('/rollouts/{id}/pause', { params }));
      return [];
    case 'resume':
      await call(api.POST('/rollouts/{id}/resume', { params }));
      return [];
    case 'cancel':
      await call(api.POST('/rollouts/{id}/cancel', { params: { ...params, query: { withdraw } } }));
      return [];
    case 'retry-failed':
      return (await call(api.POST('/rollouts/{id}/retry-failed', { params }))).left_out;
  }
}

interface ActionsProps {
  rollout: Rollout;
  /** onDone is told whom a retry left out. */
  onDone: (leftOut: LeftOut[]) => void;
}

function Actions({ rollout, onDone }: ActionsProps) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  if (!may) return null;

  function ask(action: RolloutAction) {
    const auditing = action === 'cancel' ? (rollout.counts.auditing ?? 0) : 0;
    let withdraw = false;
    confirm({
      title: t(`rollouts.confirm.${action}`),
      hint: (
        <div className="stack stack--tight">
          <p>{t(`rollouts.confirmHint.${action}`)}</p>
          {auditing > 0 && (
            <>
              <p>{t('rollouts.auditsGoOn', { n: auditing })}</p>
              <div data-testid="cancel-withdraw">
                <Checkbox
                  onChange={(on) => {
                    withdraw = on;
                  }}
                >
                  {t('rollouts.withdrawAudits')}
                </Checkbox>
              </div>
            </>
          )}
        </div>
      ),
      ok: t(`rollouts.actions.${action}`),
      danger: action === 'cancel',
      run: async () => {
        onDone(await post(action, rollout.id, withdraw));
        await Promise.all([
          client.invalidateQueries({ queryKey: keys.rollouts }),
          client.invalidateQueries({ queryKey: keys.submissions }),
        ]);
        toast.success(t('common.done'));
      },
    });
  }

  return rolloutActionsFor(rollout.state, rollout.counts).map((action) => (
    <Button
      key={action}
      variant={action === 'resume' ? 'base' : 'outline'}
      theme={action === 'cancel' ? 'danger' : action === 'resume' ? 'primary' : 'default'}
      data-testid={`rollout-${action}`}
      onClick={() => ask(action)}
    >
      {t(`rollouts.actions.${action}`)}
    </Button>
  ));
}

/** LeftOutWords says whom the last retry left as they are, and why. */
function LeftOutWords({ leftOut, onClose }: { leftOut: LeftOut[]; onClose: () => void }) {
  const { t } = useTranslation();
  if (leftOut.length === 0) return null;
  return (
    <div className="banner" role="status" data-testid="left-out">
      <b>{t('board.leftOut', { n: leftOut.reduce((sum, l) => sum + l.merchants, 0) })}</b>
      <ul>
        {leftOut.map((l) => (
          <li key={l.reason}>{t('board.leftOutFor', { n: l.merchants, reason: l.reason })}</li>
        ))}
      </ul>
      <button type="button" className="plainbutton" onClick={onClose} data-testid="left-out-close">
        {t('common.close')}
      </button>
    </div>
  );
}

/** PaceWords says how fast a rollout goes on and when it will end like this. */
function PaceWords({ rollout }: { rollout: Rollout }) {
  const { t, i18n } = useTranslation();
  const now = useNow();
  const pace = paceOf(rollout, now);
  if (!pace) return null;
  return (
    <p className="faint" data-testid="pace">
      {t('board.pace', { n: pace.perHour, time: told(pace.endsAt, now, i18n.language) })}
    </p>
  );
}

function GrayWords({ release }: { release: Rollout['spec']['release'] }) {
  const { t } = useTranslation();
  const steps = (release?.gray ?? []).map((p) => `${p}%`).join(' → ');
  const pace = release?.gray_interval
    ? t('board.grayEvery', { interval: release.gray_interval })
    : t('board.grayByHand');
  return (
    <span data-testid="gray-plan">
      {t('board.graySteps', { steps })} <small className="muted">{pace}</small>
    </span>
  );
}

function Summary({ rollout }: { rollout: Rollout }) {
  const { t, i18n } = useTranslation();
  const now = useNow();
  const { audit, release, strategy } = rollout.spec;
  return (
    <Panel testId="rollout-summary">
      <div className="progress">
        <div className="progress__head">
          <span>
            <b className="progress__percent">
              {rollout.counts.released ?? 0} / {rollout.total}
            </b>{' '}
            {t('rollouts.released')}
          </span>
          <span className="faint" data-testid="rollout-percent">
            {t('rollouts.finished', { percent: finishedPercent(rollout.counts, rollout.total) })}
          </span>
          <ToneLegend counts={rollout.counts} total={rollout.total} />
        </div>
        <StateBar counts={rollout.counts} total={rollout.total} />
        <PaceWords rollout={rollout} />
      </div>
      {rollout.held_until && (
        <div className="banner" role="status" data-testid="held-until">
          {t('board.heldUntil', { time: told(Date.parse(rollout.held_until), now, i18n.language) })}
        </div>
      )}
      {rollout.canary_hold && <CanaryHold rollout={rollout} hold={rollout.canary_hold} />}
      {rollout.state === 'running' && !rollout.canary_hold && rollout.pause_reason && (
        <div className="banner" role="status" data-testid="waits-for">
          <b>{t('board.waits')}</b> {rollout.pause_reason}
        </div>
      )}
      {rollout.state === 'paused' && (
        <div className="banner" role="status" data-testid="pause-reason">
          {rollout.pause_reason ? (
            <>
              <b>{t('rollouts.pauseReason')}</b> {rollout.pause_reason}
            </>
          ) : (
            t('rollouts.pausedByHand')
          )}
        </div>
      )}
      {rollout.state === 'scheduled' && rollout.start_at && (
        <div className="banner" role="status" data-testid="scheduled-for">
          {t('rollouts.scheduledFor', { time: absolute(Date.parse(rollout.start_at), i18n.language, false) })}
        </div>
      )}
      <Pairs
        brief
        items={[
          [t('rollouts.version'), <code key="v">{rollout.user_version}</code>],
          [t('rollouts.template'), <code key="t">#{rollout.template_id}</code>],
          [t('newRollout.userDesc'), rollout.user_desc],
          [t('rollouts.createdBy'), rollout.created_by],
          [t('common.createdAt'), <Time key="at" value={rollout.created_at} exact="both" />],
          [t('newRollout.startAt'), rollout.start_at && <Time key="s" value={rollout.start_at} exact="both" />],
          [t('rollouts.finishedAt'), rollout.finished_at && <Time key="f" value={rollout.finished_at} exact="both" />],
          [
            t('newRollout.submitMode'),
            audit?.submit === 'manual' ? t('newRollout.submitManual') : t('newRollout.submitAuto'),
          ],
          [
            t('newRollout.releaseMode'),
            release?.mode === 'manual' ? t('newRollout.releaseManual') : t('newRollout.releaseAuto'),
          ],
          [t('newRollout.strategy'), <StrategyWords key="p" strategy={strategy} />],
          [t('board.gray'), release?.gray?.length ? <GrayWords key="g" release={release} /> : ''],
          [
            t('board.kindRollback'),
            rollout.of_rollout_id && (
              <Link key="of" to={`/rollouts/${rollout.of_rollout_id}`} data-testid="of-rollout">
                {t('board.ofRollout', { id: rollout.of_rollout_id })}
              </Link>
            ),
          ],
          [t('newRollout.window'), release?.window && <WindowWords key="w" expression={release.window} />],
        ]}
      />
    </Panel>
  );
}

export default function RolloutPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { id = '', sid } = useParams();
  const query = useQuery(rolloutQuery(id));
  const may = useCan('operator');
  const [panel, setPanel] = useState<'edit' | 'rollback' | null>(null);
  const [leftOut, setLeftOut] = useState<LeftOut[]>([]);
  const rollout = query.data;
  const open = rollout && !['completed', 'canceled'].includes(rollout.state);
  const [shown, setShown] = useState(id);
  if (shown !== id) {
    // Another rollout, such as the one that takes this back.
    setShown(id);
    setPanel(null);
    setLeftOut([]);
  }
  const canGoBack = rollout?.kind === 'release' && (rollout.counts.released ?? 0) > 0;
  return (
    <>
      <PageHead
        title={query.data?.name ?? t('rollouts.title')}
        back={{ to: '/rollouts', label: t('rollouts.title') }}
        aside={
          rollout && (
            <>
              <RolloutTag state={rollout.state} />
              {rollout.kind === 'rollback' && <ToneTag tone="action" text={t('board.kindRollback')} />}
            </>
          )
        }
      >
        {rollout && (
          <a
            className="t-button t-button--variant-outline t-button--theme-default"
            href={`/api/v1/rollouts/${rollout.id}/submissions.csv`}
            download
            data-testid="export"
          >
            <DownloadIcon />
            <span className="t-button__text">{t('board.exportCsv')}</span>
          </a>
        )}
        {may && open && (
          <Button variant="outline" theme="default" onClick={() => setPanel('edit')} data-testid="rollout-edit-open">
            {t('board.edit')}
          </Button>
        )}
        {may && canGoBack && (
          <Button variant="outline" theme="danger" onClick={() => setPanel('rollback')} data-testid="rollout-rollback">
            {t('board.rollback')}
          </Button>
        )}
        {rollout && <Actions key={rollout.id} rollout={rollout} onDone={setLeftOut} />}
      </PageHead>
      <QueryView query={query} rows={8}>
        {(rollout) => (
          <>
            <LeftOutWords leftOut={leftOut} onClose={() => setLeftOut([])} />
            <Summary rollout={rollout} />
            <RolloutMerchants key={rollout.id} rollout={rollout} />
          </>
        )}
      </QueryView>
      <SidePanel
        testId="rollout-panel"
        title={panel === 'rollback' ? t('board.rollbackTitle') : t('board.editTitle')}
        open={panel !== null}
        onClose={() => setPanel(null)}
      >
        {rollout && panel === 'edit' && <RolloutEdit rollout={rollout} onDone={() => setPanel(null)} />}
        {rollout && panel === 'rollback' && <RolloutRollback rollout={rollout} />}
      </SidePanel>
      <SidePanel
        testId="submission-detail"
        title={t('submission.drawer')}
        open={Boolean(sid)}
        onClose={() => void navigate(`/rollouts/${id}${window.location.search}`, { replace: true })}
      >
        {sid && <SubmissionView key={sid} id={sid} />}
      </SidePanel>
    </>
  );
}
