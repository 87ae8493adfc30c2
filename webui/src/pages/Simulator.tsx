import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Checkbox, Dialog, Input } from 'tdesign-react';
import { keys, linksQuery, metaQuery } from '../api/queries';
import { control, reviewable, type SimAudit, type SimMerchant, type SimState, simulatorQuery } from '../api/simulator';
import { Button, ButtonLink } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { DataTable, itemsOf } from '../components/DataList';
import { Merchant } from '../components/Face';
import { Field } from '../components/Field';
import { ModalBody } from '../components/ModalBody';
import { PageHead, Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { PushName } from '../components/PushName';
import { EmptyNote, Loading, QueryView } from '../components/QueryView';
import { SearchBox } from '../components/SearchBox';
import { Segmented } from '../components/Segmented';
import { SidePanel } from '../components/SidePanel';
import { LinkTag, ToneTag } from '../components/StateTag';
import { TextArea } from '../components/TextArea';
import { Time } from '../components/Time';
import { useControl } from '../components/useControl';
import { useFilter } from '../components/useFilter';
import { oneOf } from '../logic/oneof';
import NotFound from './NotFound';
import { SimulatorConsole } from './SimulatorConsole';

function OpenLinks() {
  const { t } = useTranslation();
  const pending = useInfiniteQuery(linksQuery({ status: 'pending', limit: 10 }));
  const opened = useInfiniteQuery(linksQuery({ status: 'opened', limit: 10 }));
  const links = [...itemsOf(opened), ...itemsOf(pending)];
  return (
    <Panel
      title={t('simulator.openLinks')}
      extra={
        <ButtonLink small variant="outline" to="/links?new=1">
          {t('links.create')}
        </ButtonLink>
      }
    >
      {pending.isPending && <Loading rows={2} />}
      {pending.data && links.length === 0 && <p className="faint">{t('simulator.noOpenLinks')}</p>}
      {links.length > 0 && (
        <DataTable
          rows={links}
          rowKey={(l) => l.id}
          testId="sim-link"
          label={t('simulator.openLinks')}
          columns={[
            { key: 'biz', title: t('links.bizId'), card: 'head', render: (l) => <b>{l.biz_id}</b> },
            { key: 'status', title: t('links.status'), card: 'corner', render: (l) => <LinkTag status={l.status} /> },
            { key: 'at', title: t('common.createdAt'), render: (l) => <Time value={l.created_at} /> },
            {
              key: 'open',
              title: '',
              card: 'foot',
              align: 'end',
              render: (l) => (
                <ButtonLink small outside variant="outline" to={l.url} testId={`sim-open-${l.biz_id}`}>
                  {t('simulator.openAsMerchant')}
                </ButtonLink>
              ),
            },
          ]}
        />
      )}
    </Panel>
  );
}

function slots(m: SimMerchant): string {
  return [m.trial?.user_version, m.audit && reviewable(m.audit) ? m.audit.user_version : '', m.live?.user_version]
    .map((v) => v || '—')
    .join(' / ');
}

function Merchants({ state }: { state: SimState }) {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const client = useQueryClient();
  const { act, busy } = useControl();
  const [q, setQ] = useState('');
  const [atConsole, setAtConsole] = useState('');
  const opened = (state.merchants ?? []).find((m) => m.appid === atConsole);
  const word = q.toLowerCase();
  const rows = (state.merchants ?? []).filter(
    (m) => m.appid.toLowerCase().includes(word) || m.nick_name.toLowerCase().includes(word),
  );
  return (
    <>
      <OpenLinks />
      <Panel
        title={t('simulator.tabs.merchants')}
        hint={t('simulator.merchantsHint')}
        extra={<SearchBox value={q} onSearch={setQ} placeholder={t('newRollout.pickSearch')} />}
      >
        {rows.length === 0 && <EmptyNote title={t('common.noMatches')} />}
        <DataTable
          rows={rows}
          rowKey={(m) => m.appid}
          testId="sim-merchant"
          label={t('simulator.tabs.merchants')}
          columns={[
            {
              key: 'name',
              title: t('authorizers.name'),
              card: 'head',
              render: (m) => <Merchant src={m.head_img} name={m.nick_name} appid={m.appid} />,
            },
            {
              key: 'status',
              title: t('authorizers.status'),
              card: 'corner',
              render: (m) => (
                <ToneTag
                  tone={m.authorized ? 'good' : 'ended'}
                  text={m.authorized ? t('simulator.authorized') : t('simulator.notAuthorized')}
                />
              ),
            },
            { key: 'slots', title: t('simulator.slots'), render: (m) => <code>{slots(m)}</code> },
            {
              key: 'act',
              title: '',
              card: 'foot',
              align: 'end',
              render: (m) =>
                m.authorized ? (
                  <span className="buttons">
                    <Button
                      size="small"
                      variant="text"
                      theme="default"
                      data-testid={`sim-console-${m.appid}`}
                      onClick={() => setAtConsole(m.appid)}
                    >
                      {t('simulator.console.open')}
                    </Button>
                    <Button
                      size="small"
                      variant="text"
                      theme="danger"
                      data-testid={`sim-revoke-${m.appid}`}
                      onClick={() =>
                        confirm({
                          title: t('simulator.revokeConfirm', { name: m.nick_name || m.appid }),
                          ok: t('simulator.revoke'),
                          danger: true,
                          run: async () => {
                            await control('POST', `merchants/${m.appid}/revoke`);
                            await client.invalidateQueries({ queryKey: keys.simulator });
                          },
                        })
                      }
                    >
                      {t('simulator.revoke')}
                    </Button>
                  </span>
                ) : (
                  <Button
                    size="small"
                    variant="outline"
                    title={t('simulator.authorizeHint')}
                    loading={busy === m.appid}
                    data-testid={`sim-authorize-${m.appid}`}
                    onClick={() => void act(m.appid, 'POST', `merchants/${m.appid}/authorize`, { order: 'event' })}
                  >
                    {t('simulator.authorizeByEvent')}
                  </Button>
                ),
            },
          ]}
        />
      </Panel>
      <SidePanel
        title={t('simulator.console.title')}
        open={opened !== undefined}
        onClose={() => setAtConsole('')}
        testId="sim-console"
      >
        {opened && <SimulatorConsole merchant={opened} />}
      </SidePanel>
    </>
  );
}

function RejectDialog({ audit, onClose }: { audit: SimAudit; onClose: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [reason, setReason] = useState(() => t('simulator.rejectReasonDefault'));
  const [shot, setShot] = useState(true);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  async function reject() {
    setBusy(true);
    setError(null);
    try {
      await control('POST', `merchants/${audit.appid}/reject`, { reason, screenshots: shot ? 1 : 0 });
      await client.invalidateQueries({ queryKey: keys.simulator });
      onClose();
    } catch (thrown) {
      setError(thrown);
      setBusy(false);
    }
  }
  return (
    <Dialog
      visible
      header={t('simulator.rejectTitle', { name: audit.nick_name || audit.appid })}
      width="min(520px, calc(100vw - 32px))"
      placement="center"
      preventScrollThrough={false}
      closeBtn={false}
      closeOnEscKeydown={false}
      footer={false}
      onClose={onClose}
    >
      <ModalBody
        box=".t-dialog__ctx"
        label={t('simulator.reject')}
        visible
        onEscape={onClose}
        className="form"
        testId="reject-form"
      >
        <Field name="reject-reason" label={t('simulator.rejectReason')}>
          <TextArea rows={4} value={reason} onChange={setReason} />
        </Field>
        <Checkbox checked={shot} onChange={setShot}>
          {t('simulator.rejectScreenshot')}
        </Checkbox>
        {error !== null && <ProblemPanel compact error={error} />}
        <div className="confirm__buttons">
          <Button theme="default" variant="outline" onClick={onClose}>
            {t('common.cancel')}
          </Button>
          <Button theme="danger" loading={busy} onClick={() => void reject()} data-testid="reject-ok">
            {t('simulator.reject')}
          </Button>
        </div>
      </ModalBody>
    </Dialog>
  );
}

function Audits({ state }: { state: SimState }) {
  const { t } = useTranslation();
  const { act, busy } = useControl();
  const [rejecting, setRejecting] = useState<SimAudit | null>(null);
  const queue = (state.audits ?? []).filter(reviewable);
  return (
    <Panel title={t('simulator.tabs.audits')}>
      {queue.length === 0 ? (
        <EmptyNote title={t('simulator.auditsEmpty')} hint={t('simulator.auditsEmptyHint')} />
      ) : (
        <DataTable
          rows={queue}
          rowKey={(a) => a.appid}
          testId="sim-audit"
          label={t('simulator.tabs.audits')}
          columns={[
            {
              key: 'name',
              title: t('authorizers.name'),
              card: 'head',
              render: (a) => <Merchant name={a.nick_name} appid={a.appid} />,
            },
            { key: 'version', title: t('rollouts.version'), render: (a) => <code>{a.user_version}</code> },
            { key: 'desc', title: t('templates.desc'), render: (a) => a.user_desc },
            {
              key: 'at',
              title: t('simulator.time'),
              render: (a) => <Time value={new Date(a.submitted_at * 1000).toISOString()} />,
            },
            {
              key: 'act',
              title: '',
              card: 'foot',
              align: 'end',
              render: (a) => (
                <span className="buttons">
                  {a.status === 4 ? (
                    <ToneTag tone="action" text={t('simulator.delay')} />
                  ) : (
                    <Button
                      size="small"
                      variant="text"
                      theme="default"
                      data-testid={`sim-delay-${a.appid}`}
                      onClick={() => void act(`delay ${a.appid}`, 'POST', `merchants/${a.appid}/delay`, { reason: '' })}
                    >
                      {t('simulator.delay')}
                    </Button>
                  )}
                  <Button
                    size="small"
                    variant="outline"
                    theme="danger"
                    data-testid={`sim-reject-${a.appid}`}
                    onClick={() => setRejecting(a)}
                  >
                    {t('simulator.reject')}
                  </Button>
                  <Button
                    size="small"
                    loading={busy === `approve ${a.appid}`}
                    data-testid={`sim-approve-${a.appid}`}
                    onClick={() => void act(`approve ${a.appid}`, 'POST', `merchants/${a.appid}/approve`)}
                  >
                    {t('simulator.approve')}
                  </Button>
                </span>
              ),
            },
          ]}
        />
      )}
      {rejecting && <RejectDialog audit={rejecting} onClose={() => setRejecting(null)} />}
    </Panel>
  );
}

const paths = [
  '/wxa/commit',
  '/wxa/security/get_code_privacy_info',
  '/wxa/submit_audit',
  '/wxa/get_latest_auditstatus',
  '/wxa/release',
  '/wxa/modify_domain',
  '/cgi-bin/component/api_component_token',
  '/cgi-bin/component/api_query_auth',
  '/cgi-bin/component/api_authorizer_token',
  '/cgi-bin/component/api_get_authorizer_info',
] as const;

const modes = ['errcode', 'http500', 'garbage', 'slow', 'cut_before', 'cut_after'] as const;
type Mode = (typeof modes)[number];

function faultBody(path: string, mode: Mode, code: number, times: number) {
  switch (mode) {
    case 'http500':
      return { path, times, mode: 'http', code: 500 };
    case 'errcode':
      return { path, times, mode, code };
    case 'slow':
      return { path, times, mode, delay: '5s' };
    default:
      return { path, times, mode };
  }
}

function Faults({ state }: { state: SimState }) {
  const { t } = useTranslation();
  const { act, busy } = useControl();
  const [path, setPath] = useState<string>(paths[0]);
  const [mode, setMode] = useState<Mode>('errcode');
  const [code, setCode] = useState('-1');
  const [times, setTimes] = useState(1);
  const faults = state.faults ?? [];
  const errcode = Number(code);
  const wrong = mode === 'errcode' && (!Number.isInteger(errcode) || errcode === 0);
  return (
    <div className="columns">
      <Panel title={t('simulator.faultCall')}>
        <div className="form">
          <Field name="fault-path" label={t('simulator.path')}>
            <input
              className="input"
              list="fault-paths"
              value={path}
              onChange={(e) => setPath(e.target.value)}
              spellCheck={false}
            />
          </Field>
          <datalist id="fault-paths">
            {paths.map((p) => (
              <option key={p} value={p} />
            ))}
          </datalist>
          <Field name="fault-mode" group label={t('simulator.mode')}>
            <Segmented
              name="fault-mode"
              label={t('simulator.mode')}
              value={mode}
              onChange={setMode}
              options={modes.map((m) => ({ value: m, label: t(`simulator.modes.${m}`) }))}
            />
          </Field>
          <div className="form__row">
            {mode === 'errcode' && (
              <Field name="fault-code" label={t('simulator.errcode')}>
                <Input value={code} onChange={setCode} status={wrong ? 'error' : 'default'} />
              </Field>
            )}
            <Field name="fault-times" label={t('simulator.times')}>
              <input
                className="input"
                type="number"
                min={1}
                max={99}
                value={times}
                onChange={(e) => setTimes(e.target.valueAsNumber || 1)}
              />
            </Field>
          </div>
          <div>
            <Button
              loading={busy === 'fault'}
              disabled={wrong || path.trim() === ''}
              data-testid="sim-fault"
              onClick={() => void act('fault', 'POST', 'faults', faultBody(path.trim(), mode, errcode, times))}
            >
              {t('simulator.inject')}
            </Button>
          </div>
          {faults.length > 0 && (
            <div className="group">
              <h3>{t('simulator.activeFaults')}</h3>
              {faults.map((f) => (
                <p key={f.id} className="facts">
                  <code>{f.path || '*'}</code>
                  <span>
                    {oneOf(f.mode, modes) ? t(`simulator.modes.${f.mode as (typeof modes)[number]}`) : f.mode}{' '}
                    {f.code || ''} ×{f.times}
                  </span>
                </p>
              ))}
              <Button
                size="small"
                variant="outline"
                theme="default"
                onClick={() => void act('clear', 'DELETE', 'faults')}
              >
                {t('simulator.clear')}
              </Button>
            </div>
          )}
        </div>
      </Panel>
      <div className="stack">
        <Panel title={t('simulator.faultNext')} hint={t('simulator.faultNextHint')}>
          <div className="buttons buttons--start">
            <Button
              variant="outline"
              theme="default"
              data-testid="sim-lose-event"
              onClick={() => void act('lose', 'POST', 'next-events', { modes: ['lose'] })}
            >
              {t('simulator.loseNext')}
            </Button>
            <Button
              variant="outline"
              theme="default"
              onClick={() => void act('twice', 'POST', 'next-events', { modes: ['duplicate'] })}
            >
              {t('simulator.duplicateNext')}
            </Button>
          </div>
          {(state.next_events ?? []).length > 0 && (
            <p className="facts">
              {(state.next_events ?? [])
                .map((e) =>
                  e === 'lose' ? t('simulator.loseNext') : e === 'duplicate' ? t('simulator.duplicateNext') : e,
                )
                .join(' · ')}
            </p>
          )}
        </Panel>
        <Quota state={state} />
        <Panel title={t('simulator.clock')}>
          <div className="buttons buttons--start">
            <Button
              variant="outline"
              theme="default"
              data-testid="sim-expire-component"
              onClick={() => void act('expire', 'POST', 'tokens/expire', { appid: '' })}
            >
              {t('simulator.expireComponent')}
            </Button>
            <Button
              variant="outline"
              theme="default"
              data-testid="sim-expire-authorizers"
              onClick={() => void act('expire', 'POST', 'tokens/expire', { appid: '*' })}
            >
              {t('simulator.expireAuthorizers')}
            </Button>
            <Button
              variant="outline"
              theme="default"
              data-testid="sim-push-ticket"
              onClick={() => void act('ticket', 'POST', 'ticket')}
            >
              {t('simulator.pushTicket')}
            </Button>
            <Button
              variant="outline"
              theme="default"
              onClick={() => void act('tickets', 'PATCH', 'settings', { ticket_push: !state.settings.ticket_push })}
            >
              {state.settings.ticket_push ? t('simulator.ticketOff') : t('simulator.ticketOn')}
            </Button>
          </div>
        </Panel>
      </div>
    </div>
  );
}

/** Quota changes what WeChat leaves the provider this month. */
function Quota({ state }: { state: SimState }) {
  const { t } = useTranslation();
  const { act, busy } = useControl();
  const { audit_rest, speedup_rest } = state.settings;
  const [audits, setAudits] = useState(String(audit_rest));
  const [speedups, setSpeedups] = useState(String(speedup_rest));
  const whole = (text: string) => /^\d{1,6}$/.test(text.trim());
  return (
    <Panel
      title={t('simulator.quota')}
      hint={t('simulator.quotaHint', { audits: audit_rest, speedups: speedup_rest })}
      testId="sim-quota"
    >
      <div className="form__row">
        <Field name="quota-audits" label={t('audits.quota')}>
          <Input value={audits} onChange={setAudits} />
        </Field>
        <Field name="quota-speedups" label={t('audits.speedups')}>
          <Input value={speedups} onChange={setSpeedups} />
        </Field>
      </div>
      <Button
        variant="outline"
        theme="default"
        disabled={!whole(audits) || !whole(speedups)}
        loading={busy === 'quota'}
        data-testid="sim-set-quota"
        onClick={() =>
          void act('quota', 'PATCH', 'settings', { audit_rest: Number(audits), speedup_rest: Number(speedups) })
        }
      >
        {t('simulator.setQuota')}
      </Button>
    </Panel>
  );
}

function Traffic({ state }: { state: SimState }) {
  const { t } = useTranslation();
  const calls = (state.calls ?? []).slice(0, 60);
  const pushes = (state.pushes ?? []).slice(0, 40);
  const unknown = Object.values(state.unknown ?? {}).reduce((a, b) => a + b, 0);
  return (
    <>
      <Panel title={t('simulator.calls')} hint={unknown > 0 ? t('simulator.unknownPaths', { n: unknown }) : undefined}>
        {calls.length === 0 ? (
          <EmptyNote title={t('simulator.callsEmpty')} />
        ) : (
          <DataTable
            rows={calls}
            rowKey={(c) => String(c.seq)}
            testId="sim-call"
            label={t('simulator.calls')}
            columns={[
              { key: 'path', title: t('simulator.path'), card: 'head', render: (c) => <code>{c.path}</code> },
              { key: 'appid', title: 'AppID', render: (c) => (c.appid ? <code>{c.appid}</code> : '—') },
              {
                key: 'errcode',
                title: t('simulator.errcode'),
                render: (c) => <span className={c.errcode ? 'note--bad' : 'faint'}>{c.fault || c.errcode}</span>,
              },
              {
                key: 'executed',
                title: t('simulator.executed'),
                render: (c) => (c.executed ? t('common.yes') : <span className="faint">{t('common.no')}</span>),
              },
              { key: 'ms', title: t('simulator.duration'), card: 'hide', render: (c) => `${c.ms} ms` },
              { key: 'at', title: t('simulator.time'), render: (c) => <Time value={c.at} /> },
            ]}
          />
        )}
      </Panel>
      <Panel title={t('simulator.pushes')}>
        {pushes.length === 0 ? (
          <EmptyNote title={t('simulator.pushesEmpty')} />
        ) : (
          <DataTable
            rows={pushes}
            rowKey={(p) => String(p.id)}
            testId="sim-push"
            label={t('simulator.pushes')}
            columns={[
              { key: 'type', title: t('messages.type'), card: 'head', render: (p) => <PushName name={p.type} /> },
              { key: 'appid', title: 'AppID', render: (p) => (p.appid ? <code>{p.appid}</code> : '—') },
              {
                key: 'state',
                title: t('common.state'),
                card: 'corner',
                render: (p) => {
                  const state = oneOf(p.state, ['pending', 'delivered', 'failed']);
                  const tone = state === 'delivered' ? 'good' : state === 'failed' ? 'bad' : 'working';
                  return <ToneTag tone={tone} text={state ? t(`simulator.pushStates.${state}`) : p.state} />;
                },
              },
              {
                key: 'answer',
                title: t('simulator.answer'),
                render: (p) =>
                  (p.attempts ?? []).map((a) => a.error || `${a.status} ${a.body.slice(0, 24)}`).join(' → ') || '—',
              },
              { key: 'at', title: t('simulator.time'), render: (p) => <Time value={p.at} /> },
            ]}
          />
        )}
      </Panel>
    </>
  );
}

const tabs = ['merchants', 'audits', 'faults', 'traffic'] as const;
type Tab = (typeof tabs)[number];

export default function Simulator() {
  const { t } = useTranslation();
  const meta = useQuery(metaQuery);
  const query = useQuery({ ...simulatorQuery, enabled: meta.data?.simulation === true });
  const [filter, setFilter] = useFilter(['tab']);
  const tab: Tab = tabs.find((name) => name === filter.tab) ?? 'merchants';
  if (meta.data && !meta.data.simulation) return <NotFound />;
  const waiting = (query.data?.audits ?? []).filter(reviewable).length;
  return (
    <>
      <PageHead title={t('simulator.title')} />
      <p className="muted lead">{t('simulator.intro')}</p>
      <div className="toolbar">
        <Segmented
          name="tab"
          label={t('simulator.title')}
          value={tab}
          onChange={(v) => setFilter('tab', v === 'merchants' ? '' : v)}
          options={tabs.map((name) => ({
            value: name,
            label:
              name === 'audits' && waiting > 0
                ? `${t('simulator.tabs.audits')} ${waiting}`
                : t(`simulator.tabs.${name}`),
          }))}
        />
      </div>
      <QueryView query={query} rows={8}>
        {(state) => (
          <>
            {tab === 'merchants' && <Merchants state={state} />}
            {tab === 'audits' && <Audits state={state} />}
            {tab === 'faults' && <Faults state={state} />}
            {tab === 'traffic' && <Traffic state={state} />}
          </>
        )}
      </QueryView>
    </>
  );
}
