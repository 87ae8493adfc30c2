import { useInfiniteQuery } from '@tanstack/react-query';
import { type ReactNode, useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useSearchParams } from 'react-router-dom';
import { fieldErrors, type Problem } from '../api/problem';
import { templatesQuery } from '../api/queries';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { itemsOf } from '../components/DataList';
import { PageHead } from '../components/PageHead';
import { checkForm, domainKinds } from '../logic/rollout';
import {
  type Draft,
  emptyDraft,
  isStep,
  type Step,
  stepAfter,
  stepBefore,
  stepOf,
  stepState,
  steps,
  told,
  withWishes,
} from '../logic/wizard';
import { AuditStep } from './newrollout/AuditStep';
import { CheckStep } from './newrollout/CheckStep';
import type { Change, PartProps } from './newrollout/parts';
import { ReleaseStep } from './newrollout/ReleaseStep';
import { SettingsStep } from './newrollout/SettingsStep';
import { StepList } from './newrollout/StepList';
import { TargetsStep } from './newrollout/TargetsStep';
import { fromTemplate, TemplateStep } from './newrollout/TemplateStep';
import { useDraft } from './newrollout/useDraft';
import { VersionStep } from './newrollout/VersionStep';

const serverFields = [
  'name',
  'template_id',
  'user_version',
  'user_desc',
  'targets',
  'targets.below_version',
  'ext_json',
  ...domainKinds.map((k) => `domains.${k}`),
  'privacy.owner_setting',
  'privacy.owner_setting.notice_method',
  'privacy.owner_setting.store_expire_timestamp',
  'privacy.setting_list',
  'audit.version_desc',
  'audit.feedback_info',
  'audit.feedback_stuff',
  'audit.preview_info',
  'audit.item_list',
  'audit.ugc_declare',
  'audit.speed_up_labels',
  'audit.order_path',
  'release.window',
  'release.gray',
  'release.gray_interval',
  'strategy.canary',
  'strategy.batch_size',
  'strategy.max_failed_percent',
  'start_at',
] as const;

const parts: Record<Exclude<Step, 'check'>, (props: PartProps) => ReactNode> = {
  template: TemplateStep,
  targets: TargetsStep,
  version: VersionStep,
  settings: SettingsStep,
  audit: AuditStep,
  release: ReleaseStep,
};

/** wishes are what other pages ask for in the address: a template, merchants, all below a version. */
const wishes = ['template_id', 'appid', 'below'] as const;

function toMistake(root: HTMLElement | null) {
  const first = root?.querySelector('.field__error');
  first?.scrollIntoView({ block: 'center' });
  first?.closest('.field, .panel')?.querySelector<HTMLElement>('input, textarea')?.focus({ preventScroll: true });
}

export default function NewRollout() {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const [params, setParams] = useSearchParams();
  const [wished] = useState(() => ({
    any: wishes.some((w) => params.has(w)),
    template: params.get('template_id'),
    appids: params.getAll('appid').filter((a) => a !== ''),
    below: params.get('below'),
  }));
  const { draft, setDraft, restored, discard, end } = useDraft();
  const [problem, setProblem] = useState<Problem | null>(null);
  const body = useRef<HTMLDivElement>(null);
  const templates = useInfiniteQuery(templatesQuery);
  const { form, left } = draft;
  const wanted = params.get('step');
  const at: Step = isStep(wanted) ? wanted : 'template';

  const change: Change = useCallback(
    (part) => {
      setDraft((old) => ({
        ...old,
        form: { ...old.form, ...(typeof part === 'function' ? part(old.form) : part) },
      }));
      setProblem(null);
    },
    [setDraft],
  );

  // What the address asks for is taken over once; then the address only says the step, and a reload keeps the draft.
  const taken = useRef(false);
  const named =
    wished.template === null || templates.isError
      ? null
      : templates.data && (itemsOf(templates).find((tpl) => String(tpl.template_id) === wished.template) ?? null);
  const ready = wished.any && named !== undefined;
  const wish = useRef<(old: Draft) => Draft>((old) => old);
  useEffect(() => {
    if (!ready || taken.current) return;
    taken.current = true;
    const asked = {
      ...(named ? fromTemplate(named) : {}),
      ...(wished.appids.length > 0 ? { targetMode: 'pick' as const, appids: wished.appids, below_version: '' } : {}),
      ...(wished.below ? { targetMode: 'all' as const, below_version: wished.below } : {}),
    };
    const step = !named ? 'template' : wished.appids.length > 0 ? 'version' : 'targets';
    wish.current = (old) => withWishes(old, asked, step);
    setDraft(wish.current);
    setParams({ step }, { replace: true });
  }, [ready, named, wished, setDraft, setParams]);

  const errors = checkForm(form);
  const fromServer = problem ? fieldErrors(problem, serverFields) : {};
  const shown = told(errors, at === 'check' ? steps : left);
  const errorOf = (field: string) => {
    const own = shown[field];
    return own ? t(`formErrors.${own.key}`, { detail: own.detail ?? '' }) : fromServer[field];
  };
  const fields = [...new Set([...Object.keys(shown), ...Object.keys(fromServer).filter((f) => f !== '')])];
  const wrong = Object.keys(errors).map((field): [string, string] => [field, errorOf(field) ?? '']);

  // Where the keyboard goes once the step is drawn.
  const [aim, setAim] = useState<{ step: Step; mistake: boolean } | null>(null);
  useEffect(() => {
    if (aim?.step !== at) return;
    setAim(null);
    if (aim.mistake) toMistake(body.current);
    else {
      window.scrollTo({ top: 0 });
      body.current?.focus({ preventScroll: true });
    }
  }, [aim, at]);

  function go(step: Step, field?: string) {
    setDraft((old) => ({ ...old, left: [...new Set([...old.left, at, ...(step === 'check' ? steps : [])])] }));
    setParams({ step });
    setAim({ step, mistake: field !== undefined });
  }

  function next() {
    const after = stepAfter(at);
    if (!after) return;
    if (Object.keys(errors).some((f) => stepOf(f) === at)) {
      setDraft((old) => ({ ...old, left: [...new Set([...old.left, at])] }));
      setAim({ step: at, mistake: true });
      return;
    }
    go(after);
  }

  const Part = at === 'check' ? null : parts[at];
  const after = stepAfter(at);
  const before = stepBefore(at);
  return (
    <>
      <PageHead title={t('newRollout.title')} back={{ to: '/rollouts', label: t('rollouts.title') }} />
      <div className="wizardpage">
        <StepList at={at} stateOf={(step) => stepState(step, at, left, fields)} onGo={(step) => go(step)} />
        <div className="stack" ref={body} tabIndex={-1}>
          {restored && (
            <p className="banner remedy" data-testid="draft-restored">
              <span>{t('wizard.restored')}</span>
              <Button
                size="small"
                variant="outline"
                theme="default"
                onClick={() =>
                  confirm({
                    title: t('wizard.discardConfirm'),
                    hint: t('wizard.discardHint'),
                    ok: t('wizard.discard'),
                    danger: true,
                    run: async () => {
                      discard(wish.current(emptyDraft()));
                      setProblem(null);
                      setParams({}, { replace: true });
                    },
                  })
                }
                data-testid="discard-draft"
              >
                {t('wizard.discard')}
              </Button>
            </p>
          )}
          {Part ? (
            <Part form={form} change={change} errorOf={errorOf} />
          ) : (
            <CheckStep
              draft={draft}
              change={change}
              wrong={wrong.length > 0 ? wrong : Object.entries(fromServer).filter(([field]) => field !== '')}
              problem={problem}
              onProblem={setProblem}
              onPreflight={(preflight) => setDraft((old) => ({ ...old, preflight }))}
              onGo={go}
              onStarted={end}
            />
          )}
          <div className="wizardpage__foot">
            {before && (
              <Button variant="outline" theme="default" onClick={() => go(before)} data-testid="step-back">
                {t('wizard.back')}
              </Button>
            )}
            {after && (
              <Button onClick={next} data-testid="step-next">
                {t('wizard.next', { name: t(`wizard.step.${after}`) })}
              </Button>
            )}
          </div>
        </div>
      </div>
    </>
  );
}
