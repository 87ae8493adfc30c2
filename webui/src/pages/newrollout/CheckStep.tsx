import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate } from 'react-router-dom';
import { api, call } from '../../api/client';
import { preflightQuery } from '../../api/planning';
import { asProblem, type Problem } from '../../api/problem';
import { keys } from '../../api/queries';
import { Button } from '../../components/Button';
import { useConfirm } from '../../components/Confirm';
import { Panel } from '../../components/PageHead';
import { ProblemPanel } from '../../components/ProblemPanel';
import { useCan } from '../../components/session';
import { toast } from '../../components/toast';
import { onceOf, withKeys } from '../../logic/preflight';
import { toRequest } from '../../logic/rollout';
import { type Draft, type Step, stepOf } from '../../logic/wizard';
import { PreflightResult } from './PreflightResult';
import type { Change } from './parts';
import { Summary } from './Summary';

interface Props {
  draft: Draft;
  change: Change;
  /** wrong is what is to be corrected first: fields with the words for it. */
  wrong: [string, string][];
  problem: Problem | null;
  onProblem: (problem: Problem | null) => void;
  onPreflight: (run: Draft['preflight']) => void;
  onGo: (step: Step, field?: string) => void;
  onStarted: () => void;
}

function Mistakes({ wrong, onGo }: Pick<Props, 'wrong' | 'onGo'>) {
  const { t } = useTranslation();
  return (
    <div className="banner banner--bad" role="alert" data-testid="form-wrong">
      <b>{t('wizard.toFix', { n: wrong.length })}</b>
      <ul>
        {wrong.map(([field, words]) => (
          <li key={field}>
            <button type="button" className="plainbutton" onClick={() => onGo(stepOf(field), field)}>
              {t('wizard.fixAt', { step: t(`wizard.step.${stepOf(field)}`), words })}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** CheckStep has everything checked by the server, and starts the rollout. */
export function CheckStep(props: Props) {
  const { draft, change, wrong, problem, onProblem, onPreflight, onGo, onStarted } = props;
  const { form, preflight } = draft;
  const { t } = useTranslation();
  const client = useQueryClient();
  const navigate = useNavigate();
  const confirm = useConfirm();
  const may = useCan('operator');
  const [busy, setBusy] = useState(false);
  const going = useRef(false);
  const run = useQuery(preflightQuery(preflight?.id ?? ''));
  const body = wrong.length > 0 ? '' : JSON.stringify(toRequest(form));
  const stale = preflight !== null && preflight.body !== body;
  const found = preflight && run.data?.id === preflight.id ? run.data : undefined;
  const done = !stale && found?.state === 'done';

  const check = useCallback(async () => {
    if (going.current || body === '') return;
    going.current = true;
    setBusy(true);
    onProblem(null);
    try {
      const made = await call(api.POST('/preflights', { body: JSON.parse(body) as ReturnType<typeof toRequest> }));
      client.setQueryData(keys.preflight(made.id), made);
      onPreflight({ id: made.id, body });
    } catch (thrown) {
      onProblem(asProblem(thrown));
    } finally {
      going.current = false;
      setBusy(false);
    }
  }, [body, client, onPreflight, onProblem]);

  function start() {
    if (!found || !done) return;
    const header = onceOf(found.id);
    confirm({
      title: t('newRollout.startConfirm', { n: found.total, version: form.user_version }),
      hint: t('newRollout.startHint', { ready: found.ready, blocked: found.blocked }),
      ok: form.start_at ? t('wizard.startScheduled') : t('newRollout.start'),
      run: async () => {
        try {
          const made = await call(api.POST('/rollouts', { body: toRequest(form), params: { header } }));
          await client.invalidateQueries({ queryKey: keys.rollouts });
          toast.success(made.state === 'scheduled' ? t('newRollout.scheduled') : t('newRollout.started'));
          onStarted();
          void navigate(`/rollouts/${made.id}`, { replace: true });
        } catch (thrown) {
          onProblem(asProblem(thrown));
          throw thrown;
        }
      },
    });
  }

  return (
    <>
      {wrong.length > 0 ? <Mistakes wrong={wrong} onGo={onGo} /> : <Summary form={form} />}
      <Panel title={t('wizard.checkTitle')} hint={t('newRollout.preflightHint')} testId="part-summary">
        {problem && <ProblemPanel error={problem} />}
        {!preflight && wrong.length === 0 && <p className="muted">{t('wizard.checkNone')}</p>}
        {preflight && stale && (
          <p className="banner" role="status" data-testid="preflight-stale">
            {t('wizard.changedSince')}
          </p>
        )}
        <div className="buttons">
          <Button
            variant={done ? 'outline' : 'base'}
            theme={done ? 'default' : 'primary'}
            loading={busy}
            disabled={wrong.length > 0}
            onClick={() => void check()}
            data-testid="preflight"
          >
            {preflight ? t('newRollout.preflightAgain') : t('newRollout.preflight')}
          </Button>
          {may && (
            <Button disabled={!done} onClick={start} data-testid="start-rollout">
              {form.start_at ? t('wizard.startScheduled') : t('newRollout.start')}
            </Button>
          )}
        </div>
        {!stale && found?.state === 'running' && <p className="faint">{t('wizard.stillRunning')}</p>}
        {preflight &&
          (run.isError && asProblem(run.error).status === 404 ? (
            <p className="banner">{t('wizard.checkGone')}</p>
          ) : (
            <PreflightResult
              id={preflight.id}
              stale={stale}
              onAgain={() => void check()}
              onKeys={(wanted) => {
                change({ setPrivacy: true, privacyTexts: withKeys(form.privacyTexts, wanted) });
                onGo('settings', 'privacy.setting_list');
              }}
            />
          ))}
      </Panel>
    </>
  );
}
