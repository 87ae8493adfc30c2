import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate, useParams } from 'react-router-dom';
import { CloseIcon } from 'tdesign-icons-react';
import { Input } from 'tdesign-react';
import { api, call } from '../api/client';
import { asProblem, fieldErrors, type Problem } from '../api/problem';
import { keys, ruleQuery } from '../api/queries';
import type { Rule } from '../api/types';
import { Button, ButtonLink } from '../components/Button';
import { Combo } from '../components/Combo';
import { Field } from '../components/Field';
import { MerchantPicker } from '../components/MerchantPicker';
import { PageHead, Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { QueryView } from '../components/QueryView';
import { useMatchWords } from '../components/RuleParts';
import { SecretView } from '../components/SecretView';
import { Segmented } from '../components/Segmented';
import { useCan } from '../components/session';
import { toast } from '../components/toast';
import { knownPushes, pushTitle } from '../logic/pushes';
import {
  appidMark,
  bodyOf,
  calledAt,
  defaultTimeout,
  emptyRule,
  formOf,
  longestTimeout,
  type Mode,
  type RuleForm,
  ruleFaults,
  targetFault,
} from '../logic/rules';

const fields = ['name', 'channel', 'info_type', 'msg_type', 'event', 'appids', 'target_url', 'mode', 'timeout_ms'];

/** Chosen shows the merchants chosen so far, also those that a search does not find. */
function Chosen({ appids, onChange }: { appids: string[]; onChange: (appids: string[]) => void }) {
  const { t } = useTranslation();
  if (appids.length === 0) return null;
  return (
    <span className="pills" data-testid="chosen-appids">
      {appids.map((appid) => (
        <span key={appid} className="pill pill--edit">
          {appid}
          <button
            type="button"
            aria-label={`${t('common.remove')} ${appid}`}
            onClick={() => onChange(appids.filter((a) => a !== appid))}
          >
            <CloseIcon />
          </button>
        </span>
      ))}
    </span>
  );
}

/** Choice is a radio button with its explanation. */
function Choice(props: {
  name: string;
  value: string;
  checked: boolean;
  disabled?: boolean;
  title: string;
  children: ReactNode;
  onPick: () => void;
}) {
  const { name, value, checked, disabled, title, children, onPick } = props;
  return (
    <label className={disabled ? 'modechoice modechoice--off' : 'modechoice'} data-testid={`choice-${name}-${value}`}>
      <input type="radio" name={name} checked={checked} disabled={disabled} onChange={onPick} />
      <span>
        <b>{title}</b>
        <small>{children}</small>
      </span>
    </label>
  );
}

interface FormProps {
  initial: RuleForm;
  /** id is that of the rule that is changed; none: a new one. */
  id?: string;
  onDone: (rule: Rule) => void;
}

function Form({ initial, id, onDone }: FormProps) {
  const { t, i18n } = useTranslation();
  const client = useQueryClient();
  const words = useMatchWords();
  const [form, setForm] = useState(initial);
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const faults = ruleFaults(form);
  const refused = problem ? fieldErrors(problem, fields) : {};
  const set = (part: Partial<RuleForm>) => {
    setForm((old) => ({ ...old, ...part }));
    setProblem(null); // it was about what stood there before
  };
  const component = form.channel === 'component';

  function say(field: keyof typeof faults, server: string): string | undefined {
    const fault = faults[field];
    if (tried && fault) return t(`forward.wrong.${fault}`, { max: longestTimeout[form.mode] });
    return refused[server];
  }

  // What was typed into an address is told to be wrong at once, unlike what is still missing.
  const early = form.target.length > 8 ? targetFault(form.target) : undefined;
  const targetError = say('target', 'target_url') ?? (early && early !== 'target' && t(`forward.wrong.${early}`));

  function pickMode(mode: Mode) {
    const untouched = form.timeout === '' || form.timeout === String(defaultTimeout[form.mode]);
    set({ mode, timeout: untouched ? '' : form.timeout });
  }

  async function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (Object.keys(faults).length > 0) {
      requestAnimationFrame(() => document.querySelector('.field--wrong')?.scrollIntoView({ block: 'center' }));
      return;
    }
    setBusy(true);
    setProblem(null);
    try {
      const body = bodyOf(form);
      const answer = id
        ? await call(api.PATCH('/forward-rules/{id}', { params: { path: { id } }, body }))
        : await call(api.POST('/forward-rules', { body }));
      const { secret: _, ...kept } = answer; // the secret stays out of what is kept
      client.setQueryData(keys.rule(answer.id), kept);
      void client.invalidateQueries({ queryKey: keys.rules });
      onDone(answer);
    } catch (thrown) {
      setProblem(asProblem(thrown));
    } finally {
      setBusy(false);
    }
  }

  function kind(field: 'infoType' | 'msgType' | 'event', name: 'info_type' | 'msg_type' | 'event') {
    const title = pushTitle(form[field], i18n.language);
    return (
      <Field
        name={name}
        group
        label={t(`forward.${field}`)}
        hint={field === 'event' ? t('forward.eventHint') : t('forward.anyHint')}
        error={refused[name]}
      >
        <Combo
          keep
          name={name}
          label={t(`forward.${field}`)}
          placeholder={t('forward.anyKind')}
          value={form[field]}
          text={title ? `${title} · ${form[field]}` : form[field]}
          options={knownPushes(name, i18n.language)}
          free={(typed) => typed || undefined}
          onPick={(v) => {
            // No message is of another kind and an event as well.
            const other: Partial<RuleForm> = {};
            if (v !== '' && field === 'event' && form.msgType !== 'event') other.msgType = '';
            if (v !== '' && field === 'msgType' && v !== 'event') other.event = '';
            set({ [field]: v, ...other });
          }}
        />
      </Field>
    );
  }

  return (
    <form className="columns columns--form" onSubmit={(e) => void submit(e)} data-testid="rule-form" noValidate>
      <div className="stack">
        <Panel title={t('forward.what')}>
          <div className="form">
            <Field name="rule-name" label={t('forward.name')} error={say('name', 'name')}>
              <Input
                value={form.name}
                onChange={(name) => set({ name })}
                placeholder={t('forward.namePlaceholder')}
                autofocus={!id}
              />
            </Field>
            <Field
              name="channel"
              group
              label={t('forward.channel')}
              hint={t(`forward.channelHint.${form.channel}`)}
              error={refused.channel}
            >
              <Segmented
                name="channel"
                label={t('forward.channel')}
                value={form.channel}
                onChange={(channel) => set({ channel, mode: channel === 'component' ? 'deliver' : form.mode })}
                options={[
                  { value: 'biz', label: t('forward.channels.biz') },
                  { value: 'component', label: t('forward.channels.component') },
                ]}
              />
            </Field>
            {component ? (
              kind('infoType', 'info_type')
            ) : (
              <div className="form__row">
                {kind('event', 'event')}
                {kind('msgType', 'msg_type')}
              </div>
            )}
            <Field
              name="appids"
              group
              label={t('forward.merchants')}
              hint={form.some && form.appids.length === 0 ? t('forward.merchantsHint') : undefined}
              error={say('appids', 'appids')}
            >
              <Segmented
                name="merchants"
                label={t('forward.merchants')}
                value={form.some ? 'some' : 'all'}
                onChange={(v) => set({ some: v === 'some' })}
                options={[
                  { value: 'all', label: t('forward.merchantsAll') },
                  { value: 'some', label: t('forward.merchantsSome') },
                ]}
              />
              {form.some && (
                <div className="rulemerchants">
                  <Chosen appids={form.appids} onChange={(appids) => set({ appids })} />
                  <MerchantPicker kind="" value={form.appids} onChange={(appids) => set({ appids })} />
                </div>
              )}
            </Field>
          </div>
        </Panel>
        <Panel title={t('forward.where')}>
          <div className="form">
            <Field
              name="target"
              label={t('forward.target')}
              hint={
                <>
                  {t('forward.targetHint')} {t('forward.private')}
                </>
              }
              error={targetError || undefined}
            >
              <Input
                value={form.target}
                onChange={(target) => set({ target })}
                placeholder={t('forward.targetPlaceholder')}
              />
            </Field>
            {form.target.includes(appidMark) && !targetFault(form.target) && (
              <p className="called" data-testid="called-at">
                {t('forward.targetPreview')}{' '}
                <code>{calledAt(form.target, form.some ? form.appids[0] : undefined)}</code>
              </p>
            )}
          </div>
        </Panel>
        <Panel title={t('forward.how')}>
          <div className="form">
            <Field name="mode" group label={t('forward.mode')} error={say('mode', 'mode')}>
              <div className="modechoices">
                {(['deliver', 'relay'] as const).map((mode) => (
                  <Choice
                    key={mode}
                    name="mode"
                    value={mode}
                    checked={form.mode === mode}
                    disabled={mode === 'relay' && component}
                    title={t(`forward.modes.${mode}`)}
                    onPick={() => pickMode(mode)}
                  >
                    {mode === 'relay' && component ? t('forward.wrong.componentRelay') : t(`forward.modeHint.${mode}`)}
                  </Choice>
                ))}
              </div>
            </Field>
            <div className="form__row">
              <Field
                name="format"
                group
                label={t('forward.format')}
                hint={t(`forward.formatHint.${form.format}`)}
                error={refused.format}
              >
                <Segmented
                  name="format"
                  label={t('forward.format')}
                  value={form.format}
                  onChange={(format) => set({ format })}
                  options={[
                    { value: 'json', label: 'JSON' },
                    { value: 'xml', label: 'XML' },
                  ]}
                />
              </Field>
              <Field
                name="timeout"
                label={t('forward.timeout')}
                hint={t(`forward.timeoutHint.${form.mode}`)}
                error={say('timeout', 'timeout_ms')}
              >
                <Input
                  value={form.timeout}
                  onChange={(timeout) => set({ timeout })}
                  placeholder={String(defaultTimeout[form.mode])}
                />
              </Field>
            </div>
          </div>
        </Panel>
      </div>
      <div className="sticky">
        <Panel title={id ? t('forward.edit') : t('forward.create')} testId="rule-summary">
          <ul className="rulesum">
            {words(bodyOf(form) as Rule).map((w) => (
              <li key={w}>{w}</li>
            ))}
          </ul>
          <p className="rulesum__to">
            <span aria-hidden="true">↓</span> {t(`forward.modes.${form.mode}`)} · {form.format.toUpperCase()}
          </p>
          <p className="rulesum__target">
            <code>{form.target.trim() || '—'}</code>
          </p>
          {problem && (problem.errors.length === 0 || refused['']) && <ProblemPanel error={problem} />}
          {tried && Object.keys(faults).length > 0 && <p className="note--bad">{t('newRollout.fix')}</p>}
          <div className="buttons">
            <Button type="submit" loading={busy} data-testid="save-rule">
              {id ? t('common.save') : t('forward.createOk')}
            </Button>
            <ButtonLink to={id ? `/forward-rules/${id}` : '/forward-rules'} variant="outline">
              {t('common.cancel')}
            </ButtonLink>
          </div>
        </Panel>
      </div>
    </form>
  );
}

function Change({ id }: { id: string }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const query = useQuery(ruleQuery(id));
  return (
    <QueryView query={query} rows={8}>
      {(rule) => (
        <Form
          key={rule.id}
          id={rule.id}
          initial={formOf(rule)}
          onDone={() => {
            toast.success(t('common.saved'));
            void navigate(`/forward-rules/${rule.id}`, { replace: true });
          }}
        />
      )}
    </QueryView>
  );
}

/** ForwardRuleForm makes a rule or changes one. */
export default function ForwardRuleForm() {
  const { id } = useParams();
  // The router keeps this page from one rule to the next; what belongs to one must not be seen at another.
  return <OneRuleForm key={id ?? 'new'} id={id} />;
}

/** OneRuleForm keeps a new rule's secret in this page alone. */
function OneRuleForm({ id }: { id: string | undefined }) {
  const { t } = useTranslation();
  const may = useCan('operator');
  const [made, setMade] = useState<Rule | null>(null);
  const back = { to: id ? `/forward-rules/${id}` : '/forward-rules', label: t('forward.title') };
  if (made?.secret) {
    return (
      <>
        <PageHead title={t('forward.secretTitle')} />
        <Panel title={made.name} testId="rule-made">
          <SecretView secret={made.secret} />
          <div>
            <ButtonLink to={`/forward-rules/${made.id}`} testId="secret-done">
              {t('forward.secretDone')}
            </ButtonLink>
          </div>
        </Panel>
      </>
    );
  }
  return (
    <>
      <PageHead title={id ? t('forward.edit') : t('forward.create')} back={back} />
      {!may ? (
        <p className="muted">{t('app.readOnly')}</p>
      ) : id ? (
        <Change id={id} />
      ) : (
        <Form
          initial={emptyRule}
          onDone={(rule) => {
            toast.success(t('forward.created'));
            setMade(rule);
            window.scrollTo(0, 0);
          }}
        />
      )}
    </>
  );
}
