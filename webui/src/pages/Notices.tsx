import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { Checkbox, Input } from 'tdesign-react';
import { api, call } from '../api/client';
import { asProblem, fieldErrors, type Problem } from '../api/problem';
import { channelsQuery, keys, noticesQuery } from '../api/queries';
import type { Notice, NoticeChannel, NoticeTest } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { type Column, DataList, itemsOf } from '../components/DataList';
import { Field } from '../components/Field';
import { PageHead, Pairs } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { EmptyNote } from '../components/QueryView';
import { SecretPanel } from '../components/SecretView';
import { Segmented } from '../components/Segmented';
import { SidePanel } from '../components/SidePanel';
import { ToneTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { useFilter } from '../components/useFilter';
import { useNow } from '../components/useNow';
import { prettyBody } from '../logic/body';
import {
  type ChannelForm,
  channelBody,
  channelFaults,
  channelForm,
  channelKinds,
  emptyChannel,
  kindOfUrl,
  noticeEvents,
  takesSecret,
} from '../logic/notices';
import { oneOf } from '../logic/oneof';
import { milliseconds } from '../logic/rules';
import { relative } from '../logic/time';

function ChannelTag({ channel }: { channel: NoticeChannel }) {
  const { t } = useTranslation();
  if (!channel.enabled) return <ToneTag tone="ended" text={t('notices.off')} testId="channel-off" />;
  if (channel.failing) return <ToneTag tone="bad" text={t('notices.failing')} testId="channel-failing" />;
  return <ToneTag tone="good" text={t('notices.on')} testId="channel-on" />;
}

/** ChannelFormView makes a channel or changes one. */
function ChannelFormView(props: { channel?: NoticeChannel; onDone: (channel: NoticeChannel) => void }) {
  const { channel, onDone } = props;
  const { t } = useTranslation();
  const client = useQueryClient();
  const [form, setForm] = useState<ChannelForm>(channel ? channelForm(channel) : emptyChannel);
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const faults = channelFaults(form, channel !== undefined);
  const refused = problem ? fieldErrors(problem, ['name', 'kind', 'url', 'secret', 'events', 'language']) : {};
  const set = (part: Partial<ChannelForm>) => setForm((old) => ({ ...old, ...part }));
  const say = (field: keyof typeof faults) =>
    (tried && faults[field] ? t(`notices.wrong.${field}`) : undefined) ?? refused[field];

  function typeUrl(url: string) {
    const kind = channel ? undefined : kindOfUrl(url);
    set(kind ? { url, kind } : { url });
  }

  async function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (Object.keys(faults).length > 0) return;
    setBusy(true);
    setProblem(null);
    try {
      const body = channelBody(form);
      const answer = channel
        ? await call(api.PATCH('/notice-channels/{id}', { params: { path: { id: channel.id } }, body }))
        : await call(api.POST('/notice-channels', { body: { ...body, kind: form.kind, url: form.url.trim() } }));
      await client.invalidateQueries({ queryKey: keys.channels });
      toast.success(t('notices.saved'));
      onDone(answer);
    } catch (thrown) {
      setProblem(asProblem(thrown));
    } finally {
      setBusy(false);
    }
  }

  return (
    <form className="form" onSubmit={(e) => void submit(e)} noValidate data-testid="channel-form">
      {!channel && (
        <Field name="kind" group label={t('notices.kind')} error={refused.kind}>
          <Segmented
            name="kind"
            label={t('notices.kind')}
            value={form.kind}
            onChange={(kind) => set({ kind })}
            options={channelKinds.map((value) => ({ value, label: t(`notices.kinds.${value}`) }))}
          />
        </Field>
      )}
      <p className="howto" data-testid="how-to">
        {t(`notices.howTo.${form.kind}`)}
      </p>
      <Field name="channel-name" label={t('notices.name')} error={say('name')}>
        <Input
          value={form.name}
          onChange={(name) => set({ name })}
          placeholder={t('notices.namePlaceholder')}
          autofocus={!channel}
        />
      </Field>
      <Field
        name="channel-url"
        label={t('notices.url')}
        hint={channel ? t('notices.urlKeep', { address: channel.address }) : t('notices.urlHint')}
        error={say('url')}
      >
        <Input value={form.url} onChange={typeUrl} placeholder="https://" autocomplete="off" />
      </Field>
      {takesSecret(form.kind) && (
        <Field
          name="channel-secret"
          label={t('notices.secret')}
          hint={channel?.has_secret ? t('notices.secretKeep') : t(`notices.secretHint.${form.kind}`)}
          error={refused.secret}
        >
          <Input
            type="password"
            autocomplete="new-password"
            value={form.secret}
            onChange={(secret) => set({ secret })}
            placeholder=""
          />
        </Field>
      )}
      {form.kind === 'webhook' && !channel && <p className="muted">{t('notices.secretOnWebhook')}</p>}
      <Field name="language" group label={t('notices.language')}>
        <Segmented
          name="channel-language"
          label={t('notices.language')}
          value={form.language}
          onChange={(language) => set({ language })}
          options={[
            { value: 'zh-CN', label: t('notices.languages.zh-CN') },
            { value: 'en', label: t('notices.languages.en') },
          ]}
        />
      </Field>
      <Field name="events" group label={t('notices.events')} error={say('events')}>
        <div className="eventchoices">
          {noticeEvents.map((event) => (
            <div key={event} data-testid={`event-${event}`}>
              <Checkbox
                checked={form.events.includes(event)}
                onChange={(on) =>
                  set({ events: on ? [...form.events, event] : form.events.filter((e) => e !== event) })
                }
              >
                {t(`notices.eventNames.${event}`)}
              </Checkbox>
            </div>
          ))}
        </div>
      </Field>
      <div>
        <Checkbox checked={form.enabled} onChange={(enabled) => set({ enabled })}>
          {t('notices.enabled')}{' '}
          {channel?.enabled && !form.enabled && <span className="faint">{t('notices.disableHint')}</span>}
        </Checkbox>
      </div>
      {problem && (problem.errors.length === 0 || refused['']) && <ProblemPanel error={problem} />}
      <div>
        <Button type="submit" loading={busy} data-testid="save-channel">
          {t('notices.save')}
        </Button>
      </div>
    </form>
  );
}

function TestResult({ result }: { result: NoticeTest }) {
  const { t, i18n } = useTranslation();
  return (
    <div className="testresult" data-testid="channel-test">
      <div className="testresult__head">
        <ToneTag
          tone={result.ok ? 'good' : 'bad'}
          text={result.ok ? t('notices.testOk') : t('notices.testFailed')}
          testId={result.ok ? 'channel-test-ok' : 'channel-test-failed'}
        />
        <span className="faint">
          {result.status > 0 && `HTTP ${result.status} · `}
          {milliseconds(result.duration_ms, i18n.language)}
        </span>
      </div>
      {result.error && <p className="note--bad">{result.error}</p>}
      {result.response && (
        <section>
          <h3>{t('notices.testAnswer')}</h3>
          <pre className="code">{prettyBody(result.response)}</pre>
        </section>
      )}
    </div>
  );
}

/** OneChannel is a channel in its drawer: how it does, a test, its form. */
function OneChannel(props: { channel: NoticeChannel; onGone: () => void; onSecret: (secret: string) => void }) {
  const { channel, onGone, onSecret } = props;
  const { t, i18n } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  const now = useNow();
  const [busy, setBusy] = useState(false);
  const [result, setResult] = useState<NoticeTest | null>(null);
  const [error, setError] = useState<unknown>(null);
  const path = { id: channel.id };

  async function test() {
    setBusy(true);
    setError(null);
    try {
      setResult(await call(api.POST('/notice-channels/{id}/test', { params: { path } })));
      await client.invalidateQueries({ queryKey: keys.channels });
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }

  return (
    <>
      <Pairs
        brief
        items={[
          [t('notices.kind'), t(`notices.kinds.${channel.kind}`)],
          [t('notices.address'), <code key="a">{channel.address}</code>],
          [t('common.state'), <ChannelTag key="s" channel={channel} />],
          [t('notices.lastSent'), channel.last_sent_at ? <Time value={channel.last_sent_at} /> : t('notices.never')],
          [t('notices.states.pending'), channel.waiting > 0 ? String(channel.waiting) : ''],
        ]}
      />
      {channel.failing && (
        <div className="problem" role="alert" data-testid="channel-trouble">
          <div className="problem__text">
            {t('notices.failingSince', {
              since: relative(Date.parse(channel.failing.since), now, i18n.language),
              error: channel.failing.error,
            })}
          </div>
        </div>
      )}
      {may && (
        <div className="buttons">
          <Button loading={busy} onClick={() => void test()} data-testid="test-channel">
            {t('notices.test')}
          </Button>
          {channel.kind === 'webhook' && (
            <Button
              variant="outline"
              theme="default"
              data-testid="rotate-channel"
              onClick={() =>
                confirm({
                  title: t('notices.rotateConfirm'),
                  hint: t('notices.rotateHint'),
                  ok: t('notices.rotate'),
                  run: async () => {
                    const answer = await call(api.POST('/notice-channels/{id}/secret', { params: { path } }));
                    onSecret(answer.secret ?? '');
                  },
                })
              }
            >
              {t('notices.rotate')}
            </Button>
          )}
          <Button
            variant="outline"
            theme="danger"
            data-testid="delete-channel"
            onClick={() =>
              confirm({
                title: t('notices.deleteConfirm', { name: channel.name }),
                hint: t('notices.deleteHint'),
                ok: t('notices.delete'),
                danger: true,
                run: async () => {
                  await call(api.DELETE('/notice-channels/{id}', { params: { path } }));
                  onGone();
                  toast.success(t('notices.deleted'));
                  await Promise.all([
                    client.invalidateQueries({ queryKey: keys.channels }),
                    client.invalidateQueries({ queryKey: keys.notices }),
                  ]);
                },
              })
            }
          >
            {t('notices.delete')}
          </Button>
        </div>
      )}
      {error !== null && <ProblemPanel error={error} />}
      {result && <TestResult result={result} />}
      {may && (
        <section className="channelform">
          <h3>{t('notices.edit')}</h3>
          <ChannelFormView key={channel.updated_at} channel={channel} onDone={() => {}} />
        </section>
      )}
    </>
  );
}

const states = ['pending', 'sent', 'dead'] as const;
const noticeTones = { pending: 'working', sent: 'good', dead: 'bad' } as const;

function NoticeText({ notice }: { notice: Notice }) {
  const { t } = useTranslation();
  const lines = notice.text.split('\n').filter((line) => line.trim() !== '');
  return (
    <span className="noticetext">
      {notice.path ? (
        <Link to={notice.path}>
          <b>{notice.title}</b>
        </Link>
      ) : (
        <b>{notice.title}</b>
      )}
      {notice.count > 1 && <span className="faint"> {t('notices.count', { n: notice.count })}</span>}
      {lines.slice(0, 3).map((line) => (
        <small key={line}>{line}</small>
      ))}
    </span>
  );
}

function Sent({ channels }: { channels: NoticeChannel[] }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const may = useCan('operator');
  const [filter, setFilter] = useFilter(['state', 'channel_id']);
  const list = useInfiniteQuery(
    noticesQuery({ state: oneOf(filter.state, states), channel_id: filter.channel_id || undefined, limit: 20 }),
  );
  const [busy, setBusy] = useState('');

  async function retry(id: string) {
    setBusy(id);
    try {
      await call(api.POST('/notices/{id}/retry', { params: { path: { id } } }));
      toast.success(t('notices.retried'));
      await client.invalidateQueries({ queryKey: keys.notices });
    } catch (thrown) {
      toast.problem(thrown, t('problem.generic'));
    } finally {
      setBusy('');
    }
  }

  const columns: Column<Notice>[] = [
    { key: 'what', title: t('notices.what'), card: 'head', render: (n) => <NoticeText notice={n} /> },
    {
      key: 'channel',
      title: t('notices.channel'),
      render: (n) => channels.find((c) => c.id === n.channel_id)?.name ?? <span className="none">—</span>,
    },
    {
      key: 'state',
      title: t('notices.state'),
      card: 'corner',
      render: (n) => (
        <ToneTag tone={noticeTones[n.state]} text={t(`notices.states.${n.state}`)} testId={`notice-state-${n.state}`} />
      ),
    },
    {
      key: 'error',
      title: t('forward.lastError'),
      render: (n) =>
        n.error ? (
          <span className="lastanswer">
            <span className="faint">{t('notices.attempts', { n: n.attempts })}</span>
            <small>{n.error}</small>
          </span>
        ) : (
          <span className="none">—</span>
        ),
    },
    { key: 'at', title: t('notices.when'), render: (n) => <Time value={n.created_at} /> },
    {
      key: 'do',
      title: '',
      card: 'foot',
      align: 'end',
      render: (n) =>
        may && n.state === 'dead' ? (
          <Button
            size="small"
            variant="outline"
            loading={busy === n.id}
            onClick={() => void retry(n.id)}
            data-testid={`retry-notice-${n.id}`}
          >
            {t('notices.retry')}
          </Button>
        ) : (
          <span className="none" />
        ),
    },
  ];
  return (
    <section>
      <div className="sectionhead">
        <h2>{t('notices.sent')}</h2>
        <Segmented
          name="state"
          label={t('notices.state')}
          value={filter.state}
          onChange={(v) => setFilter('state', v)}
          options={[
            { value: '', label: t('common.all') },
            ...states.map((value) => ({ value, label: t(`notices.states.${value}`) })),
          ]}
        />
        {channels.length > 1 && (
          <Segmented
            name="notice-channel"
            label={t('notices.channel')}
            value={filter.channel_id}
            onChange={(v) => setFilter('channel_id', v)}
            options={[
              { value: '', label: t('notices.allChannels') },
              ...channels.map((c) => ({ value: c.id, label: c.name })),
            ]}
          />
        )}
      </div>
      <div className="panel panel--flush">
        <DataList
          query={list}
          columns={columns}
          rowKey={(n) => n.id}
          testId="notice"
          label={t('notices.sent')}
          empty={
            filter.state || filter.channel_id ? (
              <EmptyNote title={t('common.noMatches')} />
            ) : (
              <EmptyNote title={t('notices.sentEmpty')} hint={t('notices.sentEmptyHint')} />
            )
          }
        />
      </div>
    </section>
  );
}

/** Notices is where staff are told of what happens, and what they were told. */
export default function Notices() {
  const { t } = useTranslation();
  const may = useCan('operator');
  const list = useInfiniteQuery(channelsQuery);
  const channels = itemsOf(list);
  const [filter, setFilter] = useFilter(['open']);
  const [secret, setSecret] = useState('');
  const chosen = channels.find((c) => c.id === filter.open);
  const creating = filter.open === 'new' && may;

  const columns: Column<NoticeChannel>[] = [
    {
      key: 'name',
      title: t('notices.name'),
      card: 'head',
      render: (c) => (
        <button
          type="button"
          className="linkbutton"
          onClick={() => setFilter('open', c.id)}
          data-testid={`open-channel-${c.id}`}
        >
          <b>{c.name}</b>
        </button>
      ),
    },
    { key: 'kind', title: t('notices.kind'), render: (c) => t(`notices.kinds.${c.kind}`) },
    { key: 'address', title: t('notices.address'), render: (c) => <code>{c.address}</code> },
    {
      key: 'events',
      title: t('notices.events'),
      render: (c) => {
        const n = (c.events ?? []).length;
        return n === noticeEvents.length ? t('notices.eventsAll') : t('notices.eventsN', { n });
      },
    },
    {
      key: 'last',
      title: t('notices.lastSent'),
      render: (c) => (
        <span className="lastanswer">
          {c.last_sent_at ? <Time value={c.last_sent_at} /> : <span className="faint">{t('notices.never')}</span>}
          {c.failing && <small>{c.failing.error}</small>}
        </span>
      ),
    },
    { key: 'state', title: t('notices.state'), card: 'corner', render: (c) => <ChannelTag channel={c} /> },
  ];

  const add = may && (
    <Button onClick={() => setFilter('open', 'new')} data-testid="new-channel">
      {t('notices.create')}
    </Button>
  );
  return (
    <>
      <PageHead title={t('notices.title')}>{add}</PageHead>
      <div className="panel panel--flush">
        <DataList
          query={list}
          columns={columns}
          rowKey={(c) => c.id}
          testId="channel"
          label={t('notices.channels')}
          empty={<EmptyNote title={t('notices.empty')} hint={t('notices.emptyHint')} />}
        />
      </div>
      <Sent channels={channels} />
      <SidePanel
        testId="channel-create"
        title={t('notices.create')}
        open={creating}
        onClose={() => setFilter('open', '')}
      >
        <ChannelFormView
          onDone={(c) => {
            setFilter('open', c.id);
            setSecret(c.secret ?? '');
          }}
        />
      </SidePanel>
      <SidePanel
        testId="channel-detail"
        title={chosen?.name ?? t('notices.title')}
        open={chosen !== undefined && secret === ''}
        onClose={() => setFilter('open', '')}
      >
        {chosen && (
          <OneChannel
            key={chosen.id}
            channel={chosen}
            onGone={() => setFilter('open', '')}
            onSecret={(fresh) => setSecret(fresh)}
          />
        )}
      </SidePanel>
      <SecretPanel testId="channel-secret" secret={secret} onClose={() => setSecret('')} />
    </>
  );
}
