import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { CheckCircleFilledIcon, CloseCircleFilledIcon, ErrorCircleFilledIcon } from 'tdesign-icons-react';
import { Input } from 'tdesign-react';
import { api, call } from '../api/client';
import { asProblem, fieldErrors, Problem } from '../api/problem';
import { componentQuery, domainsQuery, keys, whitelistQuery } from '../api/queries';
import type { CheckResult, Component, ComponentUpdate, PlatformDomains } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { CopyLine, useCopy } from '../components/Copy';
import { Field } from '../components/Field';
import { PageHead, Pairs, Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { QueryView } from '../components/QueryView';
import { ToneTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { TextArea } from '../components/TextArea';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { useTexts } from '../components/useTexts';
import { difference, sameDomains } from '../logic/domains';
import { notSent, type Texts } from '../logic/edited';
import { oneOf } from '../logic/oneof';
import { splitList } from '../logic/text';
import { ticketTone } from '../logic/ticket';
import { duration } from '../logic/time';
import { BrandingPanel } from './Branding';

const secrets = ['app_secret', 'message_token', 'encoding_aes_key'] as const;

function useSave() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  async function save(body: ComponentUpdate, then: (answer: Component) => void) {
    setBusy(true);
    setProblem(null);
    try {
      const answer = await call(api.PUT('/component', { body }));
      client.setQueryData(keys.component, answer);
      toast.success(t('common.saved'));
      then(answer);
    } catch (thrown) {
      setProblem(asProblem(thrown));
    } finally {
      setBusy(false);
    }
  }
  return { busy, problem, save };
}

/** Disputed says that somebody else saved what is edited here. */
function Disputed({ onTake }: { onTake: () => void }) {
  const { t } = useTranslation();
  return (
    <div className="banner" role="status" data-testid="platform-conflict">
      {t('platform.changedMeanwhile')}{' '}
      <button type="button" className="plainbutton" onClick={onTake}>
        {t('merchants.takeTheirs')}
      </button>
    </div>
  );
}

function accountTexts(component: Component) {
  const { name, description } = component;
  return { name, description, return_url_allowlist: (component.return_url_allowlist ?? []).join('\n') };
}

function AccountPanel({ component }: { component: Component }) {
  const { t } = useTranslation();
  const may = useCan('operator');
  const { texts, changed, disputed, set, takeTheirs, saved } = useTexts(accountTexts(component));
  const { busy, problem, save } = useSave();
  const byField = problem ? fieldErrors(problem, ['name', 'description', 'return_url_allowlist']) : {};

  function submit(event: FormEvent) {
    event.preventDefault();
    const body: ComponentUpdate = {};
    if (changed.includes('name')) body.name = texts.name.trim();
    if (changed.includes('description')) body.description = texts.description.trim();
    if (changed.includes('return_url_allowlist')) body.return_url_allowlist = splitList(texts.return_url_allowlist);
    void save(body, (answer) => saved(texts, accountTexts(answer)));
  }

  return (
    <Panel title={t('platform.account')} testId="platform-account">
      <Pairs
        items={[
          [t('platform.appid'), <code key="appid">{component.appid}</code>],
          [t('platform.mode'), component.mode === 'cloudrun' ? t('platform.modeCloudrun') : t('platform.modeServer')],
          [t('platform.transport'), t(`platform.transports.${component.transport}`)],
        ]}
      />
      <form onSubmit={submit}>
        <fieldset className="form bare" disabled={!may}>
          <Field name="platform-name" label={t('platform.name')} error={byField.name}>
            <Input value={texts.name} onChange={(name) => set({ name })} placeholder="" disabled={!may} />
          </Field>
          <Field name="platform-description" label={t('platform.description')} error={byField.description}>
            <Input
              value={texts.description}
              onChange={(description) => set({ description })}
              placeholder=""
              disabled={!may}
            />
          </Field>
          <Field
            name="allowlist"
            label={t('platform.allowlist')}
            hint={t('platform.allowlistHint')}
            error={byField.return_url_allowlist}
          >
            <TextArea
              code
              rows={3}
              value={texts.return_url_allowlist}
              onChange={(return_url_allowlist) => set({ return_url_allowlist })}
            />
          </Field>
          {disputed && !busy && <Disputed onTake={takeTheirs} />}
          {problem && problem.errors.length === 0 && <ProblemPanel error={problem} />}
          {may && (
            <div>
              <Button
                type="submit"
                loading={busy}
                disabled={changed.length === 0 || disputed}
                data-testid="save-account"
              >
                {t('common.save')}
              </Button>
            </div>
          )}
        </fieldset>
      </form>
    </Panel>
  );
}

function CredentialsPanel({ component }: { component: Component }) {
  const { t } = useTranslation();
  const may = useCan('admin');
  const [typed, setTyped] = useState<Texts>({});
  const { busy, problem, save } = useSave();
  const byField = problem ? fieldErrors(problem, secrets) : {};
  const given = secrets.filter((s) => (typed[s] ?? '').trim() !== '');

  function submit(event: FormEvent) {
    event.preventDefault();
    const body: ComponentUpdate = {};
    for (const s of given) body[s] = typed[s]?.trim();
    // What was typed meanwhile stays.
    void save(body, () => setTyped((now) => notSent(typed, now)));
  }

  return (
    <Panel
      title={t('platform.credentials')}
      hint={may ? t('platform.credentialsHint') : t('platform.credentialsAdmin')}
      testId="platform-credentials"
    >
      <form className="form" onSubmit={submit}>
        {secrets.map((s) => {
          const source = component.credentials[s];
          return (
            <Field
              key={s}
              name={s}
              label={t(`platform.${s}`)}
              error={byField[s]}
              aside={
                <ToneTag
                  tone={source === 'missing' ? 'bad' : 'good'}
                  text={t(`platform.source.${source}`)}
                  testId={`credential-${s}-${source}`}
                />
              }
            >
              {may && source !== 'environment' ? (
                <Input
                  type="password"
                  autocomplete="off"
                  value={typed[s] ?? ''}
                  onChange={(v) => setTyped((old) => ({ ...old, [s]: v }))}
                  placeholder={source === 'missing' ? t('platform.newValue') : t('platform.keep')}
                />
              ) : (
                <span />
              )}
            </Field>
          );
        })}
        {problem && problem.errors.length === 0 && <ProblemPanel error={problem} />}
        {may && secrets.some((s) => component.credentials[s] !== 'environment') && (
          <div>
            <Button type="submit" loading={busy} disabled={given.length === 0} data-testid="save-credentials">
              {t('common.save')}
            </Button>
          </div>
        )}
      </form>
    </Panel>
  );
}

function TicketPanel({ component }: { component: Component }) {
  const { t, i18n } = useTranslation();
  const may = useCan('operator');
  const confirm = useConfirm();
  const client = useQueryClient();
  const { ticket, cloud_token: cloudToken } = component;
  const long = (seconds: number) => duration(seconds * 1000, i18n.language);
  const text = ticket.present ? ticket.health : 'none';
  return (
    <Panel
      title={t('platform.ticket')}
      testId="platform-ticket"
      extra={
        may && (
          <Button
            size="small"
            variant="outline"
            theme="default"
            data-testid="restart-ticket"
            onClick={() =>
              confirm({
                title: t('platform.restartConfirm'),
                hint: t('platform.restartHint'),
                ok: t('platform.restart'),
                run: async () => {
                  await call(api.POST('/component/ticket/restart'));
                  toast.success(t('platform.restarted'));
                  await client.invalidateQueries({ queryKey: keys.component });
                },
              })
            }
          >
            {t('platform.restart')}
          </Button>
        )
      }
    >
      <p className="tickethealth">
        <ToneTag
          tone={ticketTone(ticket)}
          text={t(`platform.health.${ticket.health}`)}
          testId={`ticket-health-${ticket.health}`}
        />
        <span className="muted">
          {t(`platform.healthText.${text}`, {
            warn: long(ticket.warn_after_seconds),
            stale: long(ticket.stale_after_seconds),
            alarm: long(ticket.alarm_after_seconds),
          })}
        </span>
      </p>
      <Pairs
        items={[
          [
            t('platform.ticketReceived'),
            ticket.present ? <Time value={ticket.received_at} exact="both" /> : t('dashboard.ticketNone'),
          ],
          [
            t('platform.tokenExpires'),
            component.access_token.present ? (
              <Time value={component.access_token.expires_at} exact="both" />
            ) : (
              t('dashboard.tokenMissing')
            ),
          ],
          ...(ticket.alarm_since
            ? [
                [t('platform.alarmSince'), <Time key="a" value={ticket.alarm_since} exact="both" />] as [
                  string,
                  ReactNode,
                ],
              ]
            : []),
        ]}
      />
      {cloudToken && (
        <p className="tickethealth" data-testid="cloud-token">
          <ToneTag
            tone={cloudToken.ready ? 'good' : 'bad'}
            text={`${t('platform.cloudToken')}: ${
              cloudToken.ready ? t('platform.cloudTokenReady') : t('platform.cloudTokenBroken')
            }`}
          />
          <code className="faint">{cloudToken.file}</code>
          {cloudToken.problem && <span className="note--bad">{cloudToken.problem}</span>}
        </p>
      )}
    </Panel>
  );
}

/** RefusedPanel shows what is to be entered in the console where WeChat does not take calls from our address. */
function RefusedPanel({ component }: { component: Component }) {
  const { t } = useTranslation();
  const refused = component.refused_addresses ?? [];
  if (refused.length === 0) return null;
  return (
    <section className="problem refused" role="alert" data-testid="refused-addresses">
      <div className="problem__text">
        <strong>{t('platform.refused')}</strong>
        <p>{t('platform.refusedHint')}</p>
        {refused.map((r) => (
          <div key={r.address} className="refused__one">
            <CopyLine text={r.address} testId="refused-address" />
            <small className="faint">
              {t('platform.refusedAt', { path: r.path, errcode: r.errcode })} · <Time value={r.at} />
            </small>
          </div>
        ))}
      </div>
    </section>
  );
}

const checkNames = [
  'database',
  'credentials',
  'ticket',
  'access_token',
  'ip_whitelist',
  'domains',
  'callback_url',
  'open_api',
  'cloud_token',
  'permission_sets',
] as const;

type Check = NonNullable<CheckResult['checks']>[number];

function CheckLine({ check }: { check: Check }) {
  const { t } = useTranslation();
  const known = oneOf(check.name, checkNames);
  const state = check.ok ? (check.hint ? 'warn' : 'ok') : 'bad';
  return (
    <li className={`check check--${state}`} data-testid={`check-${check.name}`} data-state={state}>
      {state === 'ok' && <CheckCircleFilledIcon aria-label={t('platform.checkOk')} />}
      {state === 'warn' && <ErrorCircleFilledIcon aria-label={t('platform.checkWarn')} />}
      {state === 'bad' && <CloseCircleFilledIcon aria-label={t('platform.checkFailed')} />}
      <span>
        <b>{known ? t(`platform.checkNames.${known}`) : check.name}</b> <span className="muted">{check.detail}</span>
        {check.hint && <small>{check.hint}</small>}
      </span>
    </li>
  );
}

function CheckPanel() {
  const { t } = useTranslation();
  const may = useCan('operator');
  const [busy, setBusy] = useState(false);
  const [result, setResult] = useState<{ checks: Check[]; at: string } | null>(null);
  const [error, setError] = useState<unknown>(null);
  async function run() {
    setBusy(true);
    setError(null);
    try {
      const answer = await call(api.POST('/component/check'));
      setResult({ checks: answer.checks ?? [], at: new Date().toISOString() });
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }
  const bad = result?.checks.filter((c) => !c.ok).length ?? 0;
  const warn = result?.checks.filter((c) => c.ok && c.hint).length ?? 0;
  return (
    <Panel
      title={t('platform.check')}
      hint={t('platform.checkHint')}
      testId="platform-check"
      extra={
        may && (
          <Button size="small" variant="outline" loading={busy} onClick={() => void run()} data-testid="run-check">
            {result ? t('platform.checkAgain') : t('platform.checkRun')}
          </Button>
        )
      }
    >
      {error !== null && <ProblemPanel error={error} />}
      {result && (
        <>
          <p className="tickethealth" role="status" data-testid="check-summary">
            <ToneTag
              tone={bad > 0 ? 'bad' : warn > 0 ? 'action' : 'good'}
              text={
                bad > 0
                  ? t('platform.checkSome', { bad, n: result.checks.length })
                  : warn > 0
                    ? t('platform.checkWarned', { warn })
                    : t('platform.checkAllGood', { n: result.checks.length })
              }
            />
            <span className="faint">
              <Time value={result.at} />
            </span>
          </p>
          <ul className="checks">
            {result.checks.map((c) => (
              <CheckLine key={c.name} check={c} />
            ))}
          </ul>
        </>
      )}
    </Panel>
  );
}

/** WhitelistPanel lists the paths to enter in the Cloud Run console; on other servers there is nothing to enter. */
function WhitelistPanel() {
  const { t } = useTranslation();
  const copy = useCopy();
  const query = useQuery(whitelistQuery);
  const [open, setOpen] = useState(false);
  const paths = query.data?.paths ?? [];
  const merchant = query.data?.merchant_paths ?? [];
  return (
    <Panel
      title={t('platform.whitelist')}
      hint={t('platform.whitelistHint')}
      testId="platform-whitelist"
      extra={
        paths.length > 0 && (
          <Button
            size="small"
            variant="outline"
            onClick={() => void copy(paths.join('\n'))}
            data-testid="copy-whitelist"
          >
            {t('platform.whitelistCopy', { n: paths.length })}
          </Button>
        )
      }
    >
      <QueryView query={query} rows={4}>
        {() => (
          <>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must get there. */}
            <pre className="code code--list" tabIndex={0} data-testid="whitelist-paths">
              {paths.join('\n')}
            </pre>
            {merchant.length > 0 && (
              <>
                <button type="button" className="disclosure" aria-expanded={open} onClick={() => setOpen(!open)}>
                  {t('platform.whitelistMerchant', { n: merchant.length })}
                </button>
                {open && (
                  // biome-ignore lint/a11y/noNoninteractiveTabindex: as above.
                  <pre className="code code--list" tabIndex={0}>
                    {merchant.join('\n')}
                  </pre>
                )}
              </>
            )}
          </>
        )}
      </QueryView>
    </Panel>
  );
}

const domainKinds = ['server', 'webview'] as const;

/** Copies says where the two copies of the platform's lists are not the same. */
function Copies({ domains }: { domains: PlatformDomains }) {
  const { t } = useTranslation();
  const parts = domainKinds.map((kind) => ({
    kind,
    ...difference(domains.testing?.[kind] ?? [], domains.published?.[kind] ?? []),
  }));
  const any = domainKinds.some((kind) => (domains[kind] ?? []).length > 0);
  if (parts.every((p) => p.onlyTesting.length + p.onlyPublished.length === 0)) {
    return any ? (
      <p className="faint" data-testid="copies-same">
        {t('domainCopies.same')}
      </p>
    ) : null;
  }
  const rows = parts.flatMap(({ kind, onlyTesting, onlyPublished }): [string, string[]][] => [
    [`${t('domainCopies.onlyTesting')} · ${t(`platform.${kind}`)}`, onlyTesting],
    [`${t('domainCopies.onlyPublished')} · ${t(`platform.${kind}`)}`, onlyPublished],
  ]);
  return (
    <div className="banner" data-testid="copies-differ">
      <b>{t('domainCopies.differ')}</b>
      <p>{t('domainCopies.differHint')}</p>
      <Pairs
        items={rows
          .filter(([, list]) => list.length > 0)
          .map(([name, list]) => [name, <code key={name}>{list.join('\n')}</code>])}
      />
    </div>
  );
}

/** DomainProblems are the names that WeChat refused in the change just made, and why. */
function DomainProblems({ domains }: { domains: PlatformDomains }) {
  const { t } = useTranslation();
  const problems = domains.problems ?? [];
  if (problems.length === 0) return null;
  return (
    <div className="banner banner--bad" role="alert" data-testid="domain-problems">
      <b>{t('domainCopies.problems')}</b>
      <ul>
        {problems.map((p) => (
          <li key={`${p.kind} ${p.name}`}>
            <code>{p.name}</code> <span className="faint">{t(`platform.${p.kind}`)}</span>
            <p>{p.detail}</p>
          </li>
        ))}
      </ul>
    </div>
  );
}

function domainTexts(domains: PlatformDomains) {
  return { server: (domains.server ?? []).join('\n'), webview: (domains.webview ?? []).join('\n') };
}

function DomainsForm({ domains }: { domains: PlatformDomains }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  const { texts, changed, disputed, set, takeTheirs, saved } = useTexts(domainTexts(domains));
  const { server, webview } = texts;
  return (
    <fieldset className="form bare" disabled={!may}>
      <div className="form__row">
        <Field name="domains-server" label={t('platform.server')}>
          <TextArea code rows={4} value={server} onChange={(v) => set({ server: v })} placeholder="api.example.com" />
        </Field>
        <Field name="domains-webview" label={t('platform.webview')}>
          <TextArea
            code
            rows={4}
            value={webview}
            onChange={(v) => set({ webview: v })}
            placeholder="shop.example.com"
          />
        </Field>
      </div>
      <DomainProblems domains={domains} />
      <Copies domains={domains} />
      {disputed && <Disputed onTake={takeTheirs} />}
      {may && (
        <div>
          <Button
            disabled={changed.length === 0 || disputed}
            data-testid="save-domains"
            onClick={() =>
              confirm({
                title: t('platform.domainsConfirm'),
                hint: t('platform.domainsConfirmHint'),
                ok: t('common.save'),
                run: async () => {
                  // The question may have been open for long, and both lists are replaced.
                  const now = await client.fetchQuery({ ...domainsQuery, staleTime: 0 });
                  if (!sameDomains(domains, now)) {
                    throw new Problem({
                      status: 409,
                      code: 'conflict',
                      title: t('platform.changedMeanwhile'),
                      detail: '',
                    });
                  }
                  const answer = await call(
                    api.PUT('/component/domains', {
                      body: { server: splitList(server), webview: splitList(webview) },
                    }),
                  );
                  client.setQueryData(keys.domains, answer);
                  saved(texts, domainTexts(answer));
                  toast.success(t('common.saved'));
                },
              })
            }
          >
            {t('common.save')}
          </Button>
        </div>
      )}
    </fieldset>
  );
}

function ConfirmFile() {
  const { t } = useTranslation();
  const [busy, setBusy] = useState(false);
  const [file, setFile] = useState<{ file_name: string; file_content: string; url: string } | null>(null);
  const [error, setError] = useState<unknown>(null);
  async function get() {
    setBusy(true);
    setError(null);
    try {
      setFile(await call(api.GET('/component/domains/confirm-file')));
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }
  function download() {
    if (!file) return;
    const url = URL.createObjectURL(new Blob([file.file_content], { type: 'text/plain' }));
    const a = document.createElement('a');
    a.href = url;
    a.download = file.file_name;
    a.click();
    URL.revokeObjectURL(url);
  }
  return (
    <div className="confirmfile">
      <b>{t('platform.confirmFile')}</b>
      <p className="muted">{t('platform.confirmFileHint')}</p>
      {error !== null && <ProblemPanel compact error={error} />}
      {file ? (
        <div data-testid="confirm-file">
          <div className="copyline">
            <code>
              {file.file_name} {file.file_content}
            </code>
            <Button size="small" variant="text" onClick={download} data-testid="download-confirm-file">
              {t('platform.download')}
            </Button>
          </div>
          <p className="muted">
            {t('domainCopies.fileUrl')}{' '}
            <a href={file.url} target="_blank" rel="noreferrer">
              {file.url}
            </a>
          </p>
          <p className="muted">{t('domainCopies.fileElsewhere')}</p>
        </div>
      ) : (
        <Button
          size="small"
          variant="outline"
          theme="default"
          loading={busy}
          onClick={() => void get()}
          data-testid="get-confirm-file"
        >
          {t('platform.confirmFileGet')}
        </Button>
      )}
    </div>
  );
}

function DomainsPanel() {
  const { t } = useTranslation();
  const may = useCan('operator');
  const query = useQuery(domainsQuery);
  return (
    <Panel title={t('platform.domains')} hint={t('platform.domainsHint')} testId="platform-domains">
      <QueryView query={query} rows={3}>
        {(domains) => <DomainsForm key={query.dataUpdatedAt === 0 ? 'none' : 'loaded'} domains={domains} />}
      </QueryView>
      {may && <ConfirmFile />}
    </Panel>
  );
}

export default function Platform() {
  const { t } = useTranslation();
  const query = useQuery(componentQuery);
  return (
    <>
      <PageHead title={t('platform.title')} />
      <QueryView query={query} rows={10}>
        {(component) => (
          <>
            <RefusedPanel component={component} />
            <div className="columns">
              <div className="stack">
                <AccountPanel key={component.appid} component={component} />
                <BrandingPanel key={`${component.appid} look`} component={component} />
                <Panel title={t('platform.callbacks')} hint={t('platform.callbacksHint')}>
                  <div className="form">
                    <Field name="component-url" group label={t('platform.componentUrl')}>
                      <CopyLine text={component.callback.component_url} testId="component-url" />
                    </Field>
                    <Field name="biz-url" group label={t('platform.bizUrl')}>
                      <CopyLine text={component.callback.biz_url} testId="biz-url" />
                    </Field>
                  </div>
                </Panel>
                <CredentialsPanel component={component} />
              </div>
              <div className="stack">
                <TicketPanel component={component} />
                <CheckPanel />
                {component.transport !== 'token' && <WhitelistPanel />}
                <DomainsPanel />
              </div>
            </div>
          </>
        )}
      </QueryView>
    </>
  );
}
