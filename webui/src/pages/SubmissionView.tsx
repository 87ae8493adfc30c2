import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { api, call } from '../api/client';
import { keys, submissionQuery, trialQrQuery } from '../api/queries';
import type { Step, Submission } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { Merchant } from '../components/Face';
import { Pairs } from '../components/PageHead';
import { Facts, ProblemPanel } from '../components/ProblemPanel';
import { Progress } from '../components/Progress';
import { Loading, QueryView } from '../components/QueryView';
import { SubmissionTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { actionsFor, isSubmissionState, type SubmissionAction } from '../logic/states';
import { shownSteps, troubleDetail } from '../logic/submission';
import { plainLines } from '../logic/text';
import { duration } from '../logic/time';
import { Resubmit } from './Resubmit';

function post(action: SubmissionAction, id: string) {
  const params = { path: { id } };
  switch (action) {
    case 'retry':
      return call(api.POST('/submissions/{id}/retry', { params }));
    case 'cancel':
      return call(api.POST('/submissions/{id}/cancel', { params }));
    case 'submit':
      return call(api.POST('/submissions/{id}/submit', { params }));
    case 'release':
      return call(api.POST('/submissions/{id}/release', { params }));
    case 'withdraw':
      return call(api.POST('/submissions/{id}/withdraw', { params }));
    case 'speed-up':
      return call(api.POST('/submissions/{id}/speed-up', { params }));
  }
}

/** decides says that the submission waits for just this action. */
function decides(action: SubmissionAction): boolean {
  return action === 'submit' || action === 'release' || action === 'retry';
}

function Actions({ submission }: { submission: Submission }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  const gray = submission.state === 'releasing' && submission.gray !== null;
  const actions = actionsFor(submission.state, gray);
  const name = (action: SubmissionAction) =>
    gray && action === 'release' ? t('board.grayStep') : t(`submission.actions.${action}`);
  if (!may || actions.length === 0) return null;
  return (
    <div className="buttons" data-testid="submission-actions">
      {actions.map((action) => (
        <Button
          key={action}
          theme={action === 'cancel' || action === 'withdraw' ? 'danger' : decides(action) ? 'primary' : 'default'}
          variant={decides(action) ? 'base' : 'outline'}
          data-testid={`submission-${action}`}
          onClick={() =>
            confirm({
              title: gray && action === 'release' ? t('board.grayStepConfirm') : t(`submission.confirm.${action}`),
              hint: (
                <>
                  <Merchant name={submission.nick_name} appid={submission.appid} />
                  <p>
                    {gray && action === 'release' ? t('board.grayStepHint') : t(`submission.confirmHint.${action}`)}
                  </p>
                </>
              ),
              ok: name(action),
              danger: action === 'cancel' || action === 'withdraw',
              run: async () => {
                await post(action, submission.id);
                await Promise.all([
                  client.invalidateQueries({ queryKey: keys.submissions }),
                  client.invalidateQueries({ queryKey: keys.rollouts }),
                ]);
                toast.success(t('common.done'));
              },
            })
          }
        >
          {name(action)}
        </Button>
      ))}
    </div>
  );
}

/** StepRow is one step; told is a text that stands above already. */
function StepRow({ step, told }: { step: Step; told: string }) {
  const { t, i18n } = useTranslation();
  const detail = plainLines(step.detail).join(' ');
  const took =
    step.started_at && step.finished_at && Date.parse(step.finished_at) - Date.parse(step.started_at) >= 1000
      ? duration(Date.parse(step.finished_at) - Date.parse(step.started_at), i18n.language)
      : '';
  return (
    <li className={`step step--${step.state}`} data-testid={`step-${step.name}`} data-state={step.state}>
      <div className="step__head">
        <b>{isSubmissionState(step.name) ? t(`state.${step.name}`) : step.name}</b>
        <span className="step__state">{t(`stepState.${step.state}`)}</span>
        <span className="faint step__time">{step.started_at && <Time value={step.started_at} exact />}</span>
      </div>
      {(took || (step.attempts ?? 0) > 1) && (
        <p className="facts">
          {took && <span>{t('submission.took', { time: took })}</span>}
          {(step.attempts ?? 0) > 1 && <span>{t('submission.attempts', { n: step.attempts })}</span>}
        </p>
      )}
      {detail && detail !== told && <p className="step__detail">{detail}</p>}
      {step.hint && <p className="step__hint">{step.hint}</p>}
      <Facts errcode={step.errcode} errmsg={step.errmsg} rid={step.rid} />
    </li>
  );
}

function Rejection({ submission }: { submission: Submission }) {
  const { t } = useTranslation();
  const may = useCan('operator');
  const [mending, setMending] = useState(false);
  const remedies = submission.remedies ?? [];
  const lines = plainLines(submission.reason ?? '');
  const shots = submission.screenshots ?? [];
  // The reason of an earlier try is history once the submission has gone on.
  const current = ['rejected', 'auditing', 'withdrawn', 'failed'].includes(submission.state);
  if (!current || (lines.length === 0 && shots.length === 0)) return null;
  return (
    <section className="rejection" data-testid="rejection">
      <h3>{t('submission.reason')}</h3>
      <div data-testid="rejection-reason">
        {lines.map((line, i) => (
          <p key={i}>{line}</p>
        ))}
      </div>
      {shots.length > 0 && (
        <div className="shots">
          {shots.map((url, i) => (
            <a key={url} href={url} target="_blank" rel="noreferrer" data-testid="screenshot">
              <img src={url} alt={t('submission.screenshot', { n: i + 1 })} loading="lazy" />
            </a>
          ))}
        </div>
      )}
      {remedies.length > 0 && (
        <details className="remedies" open>
          <summary>{t('audits.remedies')}</summary>
          <ul>
            {remedies.map((r) => (
              <li key={r}>{r}</li>
            ))}
          </ul>
        </details>
      )}
      {may && ['rejected', 'withdrawn'].includes(submission.state) && !mending && (
        <Button variant="outline" onClick={() => setMending(true)} data-testid="submission-mend">
          {t('board.submitAgain')}
        </Button>
      )}
      {mending && (
        <Resubmit ids={[submission.id]} nameOf={() => submission.nick_name} onClose={() => setMending(false)} />
      )}
    </section>
  );
}

function TrialQr({ id }: { id: string }) {
  const { t } = useTranslation();
  const query = useQuery(trialQrQuery(id));
  const [url, setUrl] = useState('');
  useEffect(() => {
    if (!query.data) return;
    const made = URL.createObjectURL(query.data);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [query.data]);
  if (query.isError) return <ProblemPanel error={query.error} onRetry={() => void query.refetch()} />;
  if (!url) return <Loading rows={3} />;
  return (
    <div className="qr qr--small">
      <img src={url} alt={t('submission.trialQr')} data-testid="trial-qr" />
      <p className="muted">{t('submission.trialQrHint')}</p>
    </div>
  );
}

/** Gray says how far a gray release has come. */
function Gray({ submission }: { submission: Submission }) {
  const { t } = useTranslation();
  const { gray, rollback } = submission;
  return (
    <>
      {rollback?.to && (
        <p data-testid="rollback-way">{t('board.rollbackFromTo', { from: rollback.from, to: rollback.to })}</p>
      )}
      {gray && submission.state === 'releasing' && (
        <section className="gray" data-testid="gray">
          <Progress done={gray.percentage} total={100} label={t('board.gray')} testId="gray-progress" />
          <p>
            {t('board.grayNow', { percentage: gray.percentage, step: gray.step, steps: gray.steps })}{' '}
            <span className="muted">
              {gray.next_at ? (
                <>
                  {t('board.grayNext')} <Time value={gray.next_at} exact="both" />
                </>
              ) : (
                t('board.grayHand')
              )}
            </span>
          </p>
        </section>
      )}
    </>
  );
}

const beforeTrial = ['queued', 'preflight', 'domains', 'committing', 'superseded'];

function View({ submission }: { submission: Submission }) {
  const { t } = useTranslation();
  const [showQr, setShowQr] = useState(false);
  const steps = shownSteps(submission.steps ?? []);
  const error = submission.error;
  const happened = troubleDetail(submission);
  const committed =
    !beforeTrial.includes(submission.state) &&
    (steps.length === 0 || steps.some((s) => s.name === 'committing' && s.state === 'done'));
  return (
    <>
      <div className="submissionhead">
        <Merchant name={submission.nick_name} appid={submission.appid} />
        <SubmissionTag state={submission.state} />
      </div>
      <Actions submission={submission} />
      {error && (happened || error.hint || error.errcode !== 0) && (
        <div className="problem" role="alert" data-testid="submission-error">
          <div className="problem__text">
            <strong>{happened || t('submission.error')}</strong>
            {error.hint && <p className="problem__hint">{t('problem.hint', { hint: error.hint })}</p>}
            <Facts errcode={error.errcode} errmsg={error.detail ? error.errmsg : undefined} rid={error.rid} />
          </div>
        </div>
      )}
      <Gray submission={submission} />
      <Rejection submission={submission} />
      <section>
        <h3>{t('submission.timeline')}</h3>
        {steps.length === 0 ? (
          <p className="faint">{t('submission.noSteps')}</p>
        ) : (
          <ol className="steps" data-testid="steps">
            {steps.map((step, i) => (
              <StepRow key={i} step={step} told={plainLines(submission.reason).join(' ')} />
            ))}
          </ol>
        )}
      </section>
      {committed && (
        <section>
          {showQr ? (
            <TrialQr id={submission.id} />
          ) : (
            <Button variant="outline" theme="default" onClick={() => setShowQr(true)} data-testid="show-trial-qr">
              {t('submission.showTrialQr')}
            </Button>
          )}
        </section>
      )}
      <Pairs
        brief
        items={[
          [t('rollouts.version'), <code key="v">{submission.user_version}</code>],
          [t('rollouts.template'), <code key="t">#{submission.template_id}</code>],
          [t('submission.auditId'), submission.audit_id ? <code>{submission.audit_id}</code> : ''],
          [
            t('audits.actions.withdraw'),
            submission.state === 'auditing' && submission.withdrawals
              ? t('audits.withdrawalsLeft', {
                  today: submission.withdrawals.today_left,
                  month: submission.withdrawals.month_left,
                })
              : '',
          ],
          [
            t('submission.nextLookAt'),
            submission.wait_until ? <Time value={submission.wait_until} exact="both" /> : '',
          ],
        ]}
      />
      <div className="buttons">
        <Link to={`/authorizers/${submission.appid}`}>{t('submission.openMerchant')}</Link>
      </div>
    </>
  );
}

/** SubmissionView is one merchant in one rollout: state, what to do, what happened. */
export function SubmissionView({ id }: { id: string }) {
  const query = useQuery(submissionQuery(id));
  return (
    <QueryView query={query} rows={8}>
      {(submission) => <View key={submission.id} submission={submission} />}
    </QueryView>
  );
}
