import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate, useSearchParams } from 'react-router-dom';
import { Checkbox, Input } from 'tdesign-react';
import { api, call, newIdempotencyKey } from '../api/client';
import { asProblem, fieldErrors, type Problem } from '../api/problem';
import { authorizerCountQuery, keys, templatesQuery } from '../api/queries';
import { labelCountQuery, labelsInUseQuery } from '../api/targets';
import type { Preflight, Template } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { itemsOf } from '../components/DataList';
import { Field } from '../components/Field';
import { MerchantPicker } from '../components/MerchantPicker';
import { PageHead, Panel } from '../components/PageHead';
import { PrivacyRows } from '../components/PrivacyRows';
import { ProblemPanel } from '../components/ProblemPanel';
import { EmptyNote, Loading } from '../components/QueryView';
import { Segmented } from '../components/Segmented';
import { TagsField } from '../components/TagsField';
import { TextArea } from '../components/TextArea';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import {
  checkForm,
  domainKinds,
  emptyForm,
  type FormError,
  ownerFields,
  type RolloutForm,
  toRequest,
} from '../logic/rollout';
import { PreflightResult } from './PreflightResult';
import { StrategyPart } from './StrategyPart';

const serverFields = [
  'name',
  'template_id',
  'user_version',
  'user_desc',
  'targets',
  'ext_json',
  ...domainKinds.map((k) => `domains.${k}`),
  'privacy.owner_setting',
  'privacy.owner_setting.notice_method',
  'privacy.owner_setting.store_expire_timestamp',
  'privacy.setting_list',
  'audit.version_desc',
  'audit.feedback_info',
  'audit.order_path',
  'release.window',
  'strategy.canary',
  'strategy.batch_size',
  'strategy.max_failed_percent',
  'start_at',
] as const;

export type Change = (part: Partial<RolloutForm>) => void;
export type ErrorOf = (field: string) => string | undefined;
interface PartProps {
  form: RolloutForm;
  change: Change;
  errorOf: ErrorOf;
}

function TemplateList(props: { templates: Template[]; label: string } & Omit<PartProps, 'errorOf'>) {
  const { templates, label, form, change } = props;
  return (
    <div className="choices" role="radiogroup" aria-label={label}>
      {templates.map((tpl) => (
        <label key={tpl.template_id} className="choice" data-testid={`template-option-${tpl.template_id}`}>
          <input
            type="radio"
            name="template"
            checked={form.template_id === tpl.template_id}
            onChange={() =>
              change({
                template_id: tpl.template_id,
                user_version: tpl.user_version,
                user_desc: tpl.user_desc,
              })
            }
          />
          <span className="choice__text">
            <b>{tpl.user_version}</b> <code>#{tpl.template_id}</code>
            <span className="muted">{tpl.user_desc}</span>
          </span>
          <span className="faint">
            <Time value={tpl.create_time} />
          </span>
        </label>
      ))}
    </div>
  );
}

function TemplatePart({ form, change, errorOf }: PartProps) {
  const { t } = useTranslation();
  const templates = useInfiniteQuery(templatesQuery);
  const rows = itemsOf(templates);
  return (
    <Panel title={t('newRollout.template')} testId="part-template">
      {templates.isPending && <Loading rows={3} />}
      {templates.isError && <ProblemPanel error={templates.error} onRetry={() => void templates.refetch()} />}
      {templates.data && rows.length === 0 && (
        <EmptyNote
          title={t('newRollout.noTemplates')}
          action={<Link to="/templates">{t('newRollout.toTemplates')}</Link>}
        />
      )}
      <TemplateList label={t('newRollout.template')} templates={rows} form={form} change={change} />
      {errorOf('template_id') && (
        <span className="field__error" role="alert">
          {errorOf('template_id')}
        </span>
      )}
    </Panel>
  );
}

function useTargetCount(form: RolloutForm): { n: number; exact: boolean } | null {
  const all = useQuery({
    ...authorizerCountQuery({ status: 'authorized', kind: 'miniprogram' }),
    enabled: form.targetMode === 'all',
  });
  const labelled = useQuery({ ...labelCountQuery(form.labels), placeholderData: (old) => old });
  switch (form.targetMode) {
    case 'pick':
      return { n: form.appids.length, exact: true };
    case 'labels':
      return form.labels.length === 0 ? { n: 0, exact: true } : (labelled.data ?? null);
    case 'all':
      return all.data === undefined ? null : { n: all.data, exact: true };
  }
}

function Count({ form }: { form: RolloutForm }) {
  const { t } = useTranslation();
  const count = useTargetCount(form);
  return (
    <span className="count" data-testid="target-count" aria-live="polite">
      {count === null
        ? t('newRollout.counting')
        : t(count.exact ? 'newRollout.count' : 'newRollout.countAtLeast', { n: count.n })}
    </span>
  );
}

function TargetPart({ form, change, errorOf }: PartProps) {
  const { t } = useTranslation();
  const labels = useQuery({ ...labelsInUseQuery, enabled: form.targetMode === 'labels' });
  return (
    <Panel title={t('newRollout.targets')} extra={<Count form={form} />} testId="part-targets">
      <Segmented
        name="targets"
        label={t('newRollout.targets')}
        value={form.targetMode}
        onChange={(targetMode) => change({ targetMode })}
        options={[
          { value: 'pick', label: t('newRollout.pick') },
          { value: 'labels', label: t('newRollout.byLabels') },
          { value: 'all', label: t('newRollout.all') },
        ]}
      />
      {form.targetMode === 'pick' && <MerchantPicker value={form.appids} onChange={(appids) => change({ appids })} />}
      {form.targetMode === 'labels' && (
        <Field name="target-labels" group label={t('authorizers.labels')} hint={t('newRollout.labelsHint')}>
          <TagsField
            label={t('authorizers.labels')}
            value={form.labels}
            onChange={(value) => change({ labels: value })}
            placeholder={t('newRollout.labelsPlaceholder')}
            suggestions={labels.data}
          />
        </Field>
      )}
      {form.targetMode === 'all' && <p className="muted">{t('newRollout.allHint')}</p>}
      {errorOf('targets') && (
        <span className="field__error" role="alert">
          {errorOf('targets')}
        </span>
      )}
    </Panel>
  );
}

const inserts = ['appid', 'biz_id', 'nick_name', 'label'] as const;

function ExtEditor({ form, change, errorOf }: PartProps) {
  const { t } = useTranslation();
  const box = useRef<HTMLDivElement>(null);

  function insert(name: string) {
    const area = box.current?.querySelector('textarea');
    const text = `{{${name}}}`;
    const at = area?.selectionStart ?? form.ext_json.length;
    const to = area?.selectionEnd ?? at;
    change({ ext_json: form.ext_json.slice(0, at) + text + form.ext_json.slice(to) });
    area?.focus();
  }

  function format() {
    try {
      change({ ext_json: JSON.stringify(JSON.parse(form.ext_json), null, 2) });
    } catch {
      // The error is already shown below the text.
    }
  }

  return (
    <div ref={box}>
      <Field name="ext-json" label={t('newRollout.ext')} hint={t('newRollout.extHint')} error={errorOf('ext_json')}>
        <TextArea code rows={8} value={form.ext_json} onChange={(ext_json) => change({ ext_json })} />
      </Field>
      <div className="suggest">
        {inserts.map((name) => (
          <button
            type="button"
            key={name}
            className="chip"
            aria-label={t('newRollout.insert', { name })}
            onClick={() => insert(name)}
          >
            {`{{${name}}}`}
          </button>
        ))}
        <button type="button" className="chip" onClick={format}>
          {t('newRollout.extFormat')}
        </button>
      </div>
    </div>
  );
}

function VersionPart(props: PartProps) {
  const { form, change, errorOf } = props;
  const { t } = useTranslation();
  return (
    <Panel title={t('newRollout.version')} testId="part-version">
      <div className="form">
        <div className="form__row">
          <Field name="name" label={t('newRollout.name')} error={errorOf('name')}>
            <Input
              value={form.name}
              onChange={(name) => change({ name })}
              placeholder={t('newRollout.namePlaceholder')}
            />
          </Field>
          <Field name="user-version" label={t('newRollout.userVersion')} error={errorOf('user_version')}>
            <Input
              value={form.user_version}
              onChange={(user_version) => change({ user_version })}
              placeholder="1.0.0"
            />
          </Field>
        </div>
        <Field name="user-desc" label={t('newRollout.userDesc')} error={errorOf('user_desc')}>
          <Input value={form.user_desc} onChange={(user_desc) => change({ user_desc })} placeholder="" />
        </Field>
        <ExtEditor {...props} />
      </div>
    </Panel>
  );
}

function SettingsPart({ form, change, errorOf }: PartProps) {
  const { t } = useTranslation();
  return (
    <Panel title={t('newRollout.settings')} testId="part-settings">
      <div className="form">
        <div data-testid="set-domains">
          <Checkbox checked={form.setDomains} onChange={(setDomains) => change({ setDomains })}>
            {t('newRollout.setDomains')}
          </Checkbox>
        </div>
        {form.setDomains && (
          <div className="indent">
            <p className="muted">{t('newRollout.domainsHint')}</p>
            <div className="form__grid">
              {domainKinds.map((kind) => (
                <Field
                  key={kind}
                  name={`domain-${kind}`}
                  label={t(`newRollout.domain.${kind}`)}
                  error={errorOf(`domains.${kind}`)}
                >
                  <TextArea
                    code
                    rows={2}
                    value={form.domains[kind]}
                    onChange={(text) => change({ domains: { ...form.domains, [kind]: text } })}
                  />
                </Field>
              ))}
            </div>
          </div>
        )}
        <div data-testid="set-privacy">
          <Checkbox checked={form.setPrivacy} onChange={(setPrivacy) => change({ setPrivacy })}>
            {t('newRollout.setPrivacy')}
          </Checkbox>
        </div>
        {form.setPrivacy && (
          <div className="indent form">
            <div className="form__grid">
              {ownerFields.map((field) => (
                <Field key={field} name={field} label={t(`newRollout.owner.${field}`)}>
                  <Input
                    value={form.owner[field]}
                    onChange={(text) => change({ owner: { ...form.owner, [field]: text } })}
                    placeholder=""
                  />
                </Field>
              ))}
              <Field
                name="notice-method"
                label={t('newRollout.notice')}
                error={errorOf('privacy.owner_setting.notice_method')}
              >
                <Input
                  value={form.notice_method}
                  onChange={(notice_method) => change({ notice_method })}
                  placeholder={t('newRollout.noticePlaceholder')}
                />
              </Field>
              <Field
                name="store-expire"
                label={t('newRollout.expire')}
                error={errorOf('privacy.owner_setting.store_expire_timestamp')}
              >
                <Input
                  value={form.store_expire}
                  onChange={(store_expire) => change({ store_expire })}
                  placeholder={t('newRollout.expirePlaceholder')}
                />
              </Field>
            </div>
            {errorOf('privacy.owner_setting') ? (
              <span className="field__error">{errorOf('privacy.owner_setting')}</span>
            ) : (
              <span className="field__hint">{t('newRollout.ownerHint')}</span>
            )}
            <PrivacyRows
              rows={form.privacyTexts}
              onChange={(privacyTexts) => change({ privacyTexts })}
              error={errorOf('privacy.setting_list')}
            />
          </div>
        )}
      </div>
    </Panel>
  );
}

function AuditPart({ form, change, errorOf }: PartProps) {
  const { t } = useTranslation();
  const [more, setMore] = useState(false);
  return (
    <Panel title={t('newRollout.audit')} testId="part-audit">
      <div className="form">
        <div className="form__row">
          <Field name="submit" group label={t('newRollout.submitMode')}>
            <Segmented
              name="submit"
              label={t('newRollout.submitMode')}
              value={form.submit}
              onChange={(submit) => change({ submit })}
              options={[
                { value: 'auto', label: t('newRollout.submitAuto') },
                { value: 'manual', label: t('newRollout.submitManual') },
              ]}
            />
          </Field>
          <Field name="release" group label={t('newRollout.releaseMode')}>
            <Segmented
              name="release"
              label={t('newRollout.releaseMode')}
              value={form.release}
              onChange={(release) => change({ release })}
              options={[
                { value: 'auto', label: t('newRollout.releaseAuto') },
                { value: 'manual', label: t('newRollout.releaseManual') },
              ]}
            />
          </Field>
        </div>
        <Field
          name="version-desc"
          label={t('newRollout.versionDesc')}
          hint={t('newRollout.versionDescHint')}
          error={errorOf('audit.version_desc')}
        >
          <TextArea rows={2} value={form.version_desc} onChange={(version_desc) => change({ version_desc })} />
        </Field>
        <button type="button" className="disclosure" aria-expanded={more} onClick={() => setMore(!more)}>
          {t('newRollout.moreAudit')}
        </button>
        {more && (
          <>
            <Field
              name="feedback"
              label={t('newRollout.feedback')}
              hint={t('newRollout.feedbackHint')}
              error={errorOf('audit.feedback_info')}
            >
              <TextArea
                rows={2}
                maxLength={200}
                value={form.feedback_info}
                onChange={(feedback_info) => change({ feedback_info })}
              />
            </Field>
            <Field name="order-path" label={t('newRollout.orderPath')} error={errorOf('audit.order_path')}>
              <Input
                value={form.order_path}
                onChange={(order_path) => change({ order_path })}
                placeholder="pages/order/list"
              />
            </Field>
            <Checkbox
              checked={form.privacy_api_not_use}
              onChange={(privacy_api_not_use) => change({ privacy_api_not_use })}
            >
              {t('newRollout.privacyApiNotUse')}
            </Checkbox>
          </>
        )}
      </div>
    </Panel>
  );
}

export default function NewRollout() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const client = useQueryClient();
  const confirm = useConfirm();
  const [params] = useSearchParams();
  const [form, setForm] = useState<RolloutForm>(() => {
    const appids = params.getAll('appid').filter((a) => a !== '');
    return { ...emptyForm(), appids };
  });
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [checked, setChecked] = useState<{ body: string; result: Preflight } | null>(null);

  // A template named in the address is chosen once the list is there.
  const wanted = params.get('template_id');
  const templates = useInfiniteQuery(templatesQuery);
  const named = wanted === null ? undefined : itemsOf(templates).find((tpl) => String(tpl.template_id) === wanted);
  const prefilled = useRef(false);
  useEffect(() => {
    if (!named || prefilled.current) return;
    prefilled.current = true;
    setForm((old) => ({
      ...old,
      template_id: named.template_id,
      user_version: named.user_version,
      user_desc: named.user_desc,
    }));
  }, [named]);

  const change: Change = (part) => {
    setForm((old) => ({ ...old, ...part }));
    setProblem(null);
  };
  const errors = checkForm(form);
  const wrong = Object.keys(errors).length > 0;
  const fromServer = problem ? fieldErrors(problem, serverFields) : {};
  const words = (e: FormError) => t(`formErrors.${e.key}`, { detail: e.detail ?? '' });
  const errorOf: ErrorOf = (field) => {
    const own = errors[field];
    // What is missing is told after the first try, what is wrong at once.
    const missing =
      own && ['required', 'template', 'targets', 'labels', 'contact', 'notice', 'privacyText'].includes(own.key);
    if (own && (tried || !missing)) return words(own);
    return fromServer[field];
  };

  const body = wrong ? '' : JSON.stringify(toRequest(form));
  const fresh = checked !== null && checked.body === body;

  async function preflight() {
    setTried(true);
    if (wrong) {
      // The errors are drawn first, then the first of them is brought into sight.
      requestAnimationFrame(() => {
        const first = document.querySelector('.stack .field__error');
        first?.scrollIntoView({ block: 'center' });
        const control = first?.closest('.field, .panel')?.querySelector<HTMLElement>('input, textarea');
        control?.focus({ preventScroll: true });
      });
      return;
    }
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      const result = await call(api.POST('/rollouts/preflight', { body: toRequest(form) }));
      setChecked({ body, result });
    } catch (thrown) {
      setChecked(null);
      setProblem(asProblem(thrown));
    } finally {
      setBusy(false);
    }
  }

  function start() {
    if (!checked || !fresh) return;
    const ready = (checked.result.ready ?? []).length;
    const blocked = (checked.result.blocked ?? []).length;
    const key = newIdempotencyKey();
    confirm({
      title: t('newRollout.startConfirm', { n: ready + blocked, version: form.user_version }),
      hint: t('newRollout.startHint', { ready, blocked }),
      ok: t('newRollout.start'),
      run: async () => {
        const made = await call(
          api.POST('/rollouts', { body: toRequest(form), params: { header: { 'Idempotency-Key': key } } }),
        );
        await client.invalidateQueries({ queryKey: keys.rollouts });
        toast.success(made.state === 'scheduled' ? t('newRollout.scheduled') : t('newRollout.started'));
        void navigate(`/rollouts/${made.id}`, { replace: true });
      },
    });
  }

  const part = { form, change, errorOf };
  return (
    <>
      <PageHead title={t('newRollout.title')} back={{ to: '/rollouts', label: t('rollouts.title') }} />
      <div className="columns columns--form">
        <div className="stack">
          <TemplatePart {...part} />
          <TargetPart {...part} />
          <VersionPart {...part} />
          <SettingsPart {...part} />
          <AuditPart {...part} />
          <StrategyPart {...part} />
        </div>
        <div className="sticky">
          <Panel title={t('newRollout.summary')} hint={t('newRollout.preflightHint')} testId="part-summary">
            <Count form={form} />
            {tried && wrong && (
              <p className="field__error" data-testid="form-wrong">
                {t('newRollout.fix')}
              </p>
            )}
            {problem && <ProblemPanel error={problem} />}
            <div className="buttons">
              <Button
                variant={fresh ? 'outline' : 'base'}
                theme={fresh ? 'default' : 'primary'}
                loading={busy}
                onClick={() => void preflight()}
                data-testid="preflight"
              >
                {checked ? t('newRollout.preflightAgain') : t('newRollout.preflight')}
              </Button>
              {fresh && (
                <Button
                  disabled={(checked.result.ready ?? []).length + (checked.result.blocked ?? []).length === 0}
                  onClick={start}
                  data-testid="start-rollout"
                >
                  {t('newRollout.start')}
                </Button>
              )}
            </div>
            {checked && !fresh && <p className="muted">{t('newRollout.preflightStale')}</p>}
            {checked && <PreflightResult result={checked.result} faded={!fresh} />}
          </Panel>
        </div>
      </div>
    </>
  );
}
