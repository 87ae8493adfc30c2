import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { CheckCircleFilledIcon, ErrorCircleFilledIcon } from 'tdesign-icons-react';
import { Input } from 'tdesign-react';
import { api, call } from '../api/client';
import { asProblem, fieldErrors, type Problem } from '../api/problem';
import { componentQuery, domainsQuery, keys } from '../api/queries';
import type { CheckResult, Component, ComponentUpdate, PlatformDomains } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { CopyLine } from '../components/Copy';
import { Field } from '../components/Field';
import { PageHead, Pairs, Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { QueryView } from '../components/QueryView';
import { ToneTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { TextArea } from '../components/TextArea';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { splitList } from '../logic/text';

const secrets = ['app_secret', 'message_token', 'encoding_aes_key'] as const;

function useSave() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  async function save(body: ComponentUpdate, then?: () => void) {
    setBusy(true);
    setProblem(null);
    try {
      const answer = await call(api.PUT('/component', { body }));
      client.setQueryData(keys.component, answer);
      toast.success(t('common.saved'));
      then?.();
    } catch (thrown) {
      setProblem(asProblem(thrown));
    } finally {
      setBusy(false);
    }
  }
  return { busy, problem, save };
}

function AccountPanel({ component }: { component: Component }) {
  const { t } = useTranslation();
  const may = useCan('operator');
  const [name, setName] = useState(component.name);
  const [description, setDescription] = useState(component.description);
  const stored = (component.return_url_allowlist ?? []).join('\n');
  const [allowlist, setAllowlist] = useState(stored);
  const { busy, problem, save } = useSave();
  const byField = problem ? fieldErrors(problem, ['name', 'description', 'return_url_allowlist']) : {};
  const changed = name !== component.name || description !== component.description || allowlist !== stored;

  function submit(event: FormEvent) {
    event.preventDefault();
    void save({ name: name.trim(), description: description.trim(), return_url_allowlist: splitList(allowlist) });
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
            <Input value={name} onChange={setName} placeholder="" disabled={!may} />
          </Field>
          <Field name="platform-description" label={t('platform.description')} error={byField.description}>
            <Input value={description} onChange={setDescription} placeholder="" disabled={!may} />
          </Field>
          <Field
            name="allowlist"
            label={t('platform.allowlist')}
            hint={t('platform.allowlistHint')}
            error={byField.return_url_allowlist}
          >
            <TextArea code rows={3} value={allowlist} onChange={setAllowlist} />
          </Field>
          {problem && problem.errors.length === 0 && <ProblemPanel error={problem} />}
          {may && (
            <div>
              <Button type="submit" loading={busy} disabled={!changed} data-testid="save-account">
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
  const [typed, setTyped] = useState<Record<string, string>>({});
  const { busy, problem, save } = useSave();
  const byField = problem ? fieldErrors(problem, secrets) : {};
  const given = secrets.filter((s) => (typed[s] ?? '').trim() !== '');

  function submit(event: FormEvent) {
    event.preventDefault();
    const body: ComponentUpdate = {};
    for (const s of given) body[s] = typed[s]?.trim();
    void save(body, () => setTyped({}));
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
  const { t } = useTranslation();
  const may = useCan('operator');
  const confirm = useConfirm();
  const client = useQueryClient();
  return (
    <Panel
      title={t('platform.ticket')}
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
      <Pairs
        items={[
          [
            t('platform.ticketReceived'),
            component.ticket.present ? (
              <Time value={component.ticket.received_at} exact="both" />
            ) : (
              t('dashboard.ticketNone')
            ),
          ],
          [
            t('platform.tokenExpires'),
            component.access_token.present ? (
              <Time value={component.access_token.expires_at} exact="both" />
            ) : (
              t('dashboard.tokenMissing')
            ),
          ],
        ]}
      />
    </Panel>
  );
}

function CheckPanel() {
  const { t } = useTranslation();
  const may = useCan('operator');
  const [busy, setBusy] = useState(false);
  const [result, setResult] = useState<CheckResult | null>(null);
  const [error, setError] = useState<unknown>(null);
  async function run() {
    setBusy(true);
    setError(null);
    try {
      setResult(await call(api.POST('/component/check')));
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }
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
        <ul className="checks">
          {(result.checks ?? []).map((c) => (
            <li key={c.name} className={c.ok ? 'check check--ok' : 'check check--bad'} data-testid={`check-${c.name}`}>
              {c.ok ? (
                <CheckCircleFilledIcon aria-label={t('platform.checkOk')} />
              ) : (
                <ErrorCircleFilledIcon aria-label={t('platform.checkFailed')} />
              )}
              <span>
                <b>{c.name}</b> <span className="muted">{c.detail}</span>
                {!c.ok && c.hint && <small>{c.hint}</small>}
              </span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Copies({ domains }: { domains: PlatformDomains }) {
  const { t } = useTranslation();
  const rows: [string, string[]][] = (['published', 'testing', 'invalid'] as const).flatMap((copy) =>
    (['server', 'webview'] as const).flatMap((kind): [string, string[]][] => {
      const list = domains[copy]?.[kind] ?? [];
      return list.length > 0 ? [[`${t(`platform.${copy}`)} · ${t(`platform.${kind}`)}`, list]] : [];
    }),
  );
  if (rows.length === 0) return null;
  return <Pairs items={rows.map(([name, list]) => [name, <code key={name}>{list.join('\n')}</code>])} />;
}

function DomainsForm({ domains }: { domains: PlatformDomains }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  const storedServer = (domains.server ?? []).join('\n');
  const storedWebview = (domains.webview ?? []).join('\n');
  const [server, setServer] = useState(storedServer);
  const [webview, setWebview] = useState(storedWebview);
  const changed = server !== storedServer || webview !== storedWebview;
  return (
    <fieldset className="form bare" disabled={!may}>
      <div className="form__row">
        <Field name="domains-server" label={t('platform.server')}>
          <TextArea code rows={4} value={server} onChange={setServer} placeholder="api.example.com" />
        </Field>
        <Field name="domains-webview" label={t('platform.webview')}>
          <TextArea code rows={4} value={webview} onChange={setWebview} placeholder="shop.example.com" />
        </Field>
      </div>
      <Copies domains={domains} />
      {may && (
        <div>
          <Button
            disabled={!changed}
            data-testid="save-domains"
            onClick={() =>
              confirm({
                title: t('platform.domainsConfirm'),
                hint: t('platform.domainsConfirmHint'),
                ok: t('common.save'),
                run: async () => {
                  const answer = await call(
                    api.PUT('/component/domains', {
                      body: { server: splitList(server), webview: splitList(webview) },
                    }),
                  );
                  client.setQueryData(keys.domains, answer);
                  setServer((answer.server ?? []).join('\n'));
                  setWebview((answer.webview ?? []).join('\n'));
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
  const [file, setFile] = useState<{ file_name: string; file_content: string } | null>(null);
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
        <div className="copyline">
          <code>
            {file.file_name} {file.file_content}
          </code>
          <Button size="small" variant="text" onClick={download}>
            {t('platform.download')}
          </Button>
        </div>
      ) : (
        <Button size="small" variant="outline" theme="default" loading={busy} onClick={() => void get()}>
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
          <div className="columns">
            <div className="stack">
              <AccountPanel key={component.appid} component={component} />
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
              <DomainsPanel />
            </div>
          </div>
        )}
      </QueryView>
    </>
  );
}
