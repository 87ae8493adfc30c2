import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call } from '../api/client';
import { auditQuery, authorizersQuery, keys } from '../api/queries';
import { Button } from '../components/Button';
import { Combo } from '../components/Combo';
import { useConfirm } from '../components/Confirm';
import { useCopy } from '../components/Copy';
import { type Column, DataTable, itemsOf } from '../components/DataList';
import { Field } from '../components/Field';
import { PageHead, Panel } from '../components/PageHead';
import { EmptyNote, QueryView } from '../components/QueryView';
import { ToneTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { duration } from '../logic/time';

/** shownFor is how long a token stays on the page. */
const shownFor = 60_000;

interface Held {
  /** about is whose it is. */
  about?: string;
  value: string;
  expiresAt?: string;
  receivedAt?: string;
  /** until: then it is taken off the page. */
  until: number;
}

/** mask leaves enough of a token to tell it from others. */
function mask(value: string): string {
  return value.length > 16 ? `${value.slice(0, 4)}${'•'.repeat(16)}${value.slice(-4)}` : '•'.repeat(16);
}

interface HolderProps {
  held: Held;
  onClear: () => void;
  testId: string;
}

function Holder({ held, onClear, testId }: HolderProps) {
  const { t, i18n } = useTranslation();
  const copy = useCopy();
  const [shown, setShown] = useState(false);
  const [now, setNow] = useState(Date.now());

  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    const end = setTimeout(onClear, Math.max(0, held.until - Date.now()));
    return () => {
      clearInterval(timer);
      clearTimeout(end);
    };
  }, [held, onClear]);

  const left = held.expiresAt ? Date.parse(held.expiresAt) - now : null;
  return (
    <div className="token" data-testid={`${testId}-held`}>
      <code className="token__value" data-testid={`${testId}-value`}>
        {shown ? held.value : mask(held.value)}
      </code>
      <p className="token__facts">
        {left !== null && (
          <span data-testid={`${testId}-left`}>
            {left > 0 ? t('tokens.expiresIn', { time: duration(left, i18n.language) }) : t('tokens.expired')}
          </span>
        )}
        {held.receivedAt && (
          <span>
            {t('tokens.received')} <Time value={held.receivedAt} />
          </span>
        )}
        <span>{t('tokens.length', { n: held.value.length })}</span>
        <span>{t('tokens.clearsIn', { n: Math.max(0, Math.ceil((held.until - now) / 1000)) })}</span>
      </p>
      <div className="buttons">
        <Button size="small" onClick={() => void copy(held.value)} data-testid={`${testId}-copy`}>
          {t('tokens.copy')}
        </Button>
        <Button
          size="small"
          variant="outline"
          theme="default"
          onClick={() => setShown(!shown)}
          aria-pressed={shown}
          data-testid={`${testId}-show`}
        >
          {shown ? t('tokens.hide') : t('tokens.show')}
        </Button>
        <Button size="small" variant="outline" theme="default" onClick={onClear} data-testid={`${testId}-clear`}>
          {t('tokens.clear')}
        </Button>
      </div>
    </div>
  );
}

type Got = Pick<Held, 'value' | 'expiresAt' | 'receivedAt'>;

interface CardProps {
  name: string;
  hint: string;
  testId: string;
  /** get asks for it; nothing is asked for before. */
  get: () => Promise<Got>;
  /** about is whose token it is; that of another is not shown. */
  about?: string;
  disabled?: boolean;
  children?: ReactNode;
}

/** Card hands a token out: after a question, masked, for a minute. It is held in this component alone. */
function Card({ name, hint, testId, get, about, disabled, children }: CardProps) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const [held, setHeld] = useState<Held | null>(null);
  const [clear] = useState(() => () => setHeld(null));

  function ask() {
    confirm({
      title: t('tokens.confirm', { name }),
      hint: (
        <>
          <p>{t('tokens.confirmHint')}</p>
          <p>{t('tokens.confirmText')}</p>
        </>
      ),
      ok: t('tokens.get'),
      run: async () => {
        try {
          const got = await get();
          setHeld({ ...got, about, until: Date.now() + shownFor });
        } finally {
          void client.invalidateQueries({ queryKey: keys.audit });
        }
      },
    });
  }

  return (
    <Panel title={name} hint={hint} testId={testId}>
      {children}
      <div>
        <Button variant="outline" disabled={disabled} onClick={ask} data-testid={`${testId}-get`}>
          {t('tokens.get')}
        </Button>
      </div>
      {held && held.about === about && <Holder key={held.until} held={held} onClear={clear} testId={testId} />}
    </Panel>
  );
}

function useLater(value: string): string {
  const [later, setLater] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLater(value), 250);
    return () => clearTimeout(timer);
  }, [value]);
  return later;
}

function MerchantToken() {
  const { t } = useTranslation();
  const [appid, setAppid] = useState('');
  const [typed, setTyped] = useState('');
  const q = useLater(typed);
  const found = useInfiniteQuery(authorizersQuery({ status: 'authorized', q, limit: 20 }));
  const merchants = itemsOf(found);
  const [name, setName] = useState('');

  function pick(value: string) {
    setAppid(value);
    setName(merchants.find((a) => a.appid === value)?.nick_name ?? '');
  }

  return (
    <Card
      testId="token-authorizer"
      about={appid}
      name={t('tokens.authorizer')}
      hint={t('tokens.authorizerHint')}
      disabled={appid === ''}
      get={async () => {
        const answer = await call(api.GET('/authorizers/{appid}/access-token', { params: { path: { appid } } }));
        return { value: answer.access_token, expiresAt: answer.expires_at };
      }}
    >
      <Field name="token-appid" group label={t('tokens.merchant')}>
        <Combo
          keep
          name="token-appid"
          label={t('tokens.merchant')}
          placeholder={t('tokens.merchantPick')}
          value={appid}
          text={name && appid ? `${name} · ${appid}` : appid}
          options={merchants.map((a) => ({ value: a.appid, title: a.nick_name || a.appid }))}
          onPick={pick}
          onType={setTyped}
          free={(text) => (/^wx[0-9a-z]{4,}$/i.test(text) ? text : undefined)}
        />
      </Field>
    </Card>
  );
}

const actions = ['get-component-access-token', 'get-component-ticket', 'get-authorizer-access-token'] as const;

function Recent() {
  const { t } = useTranslation();
  const query = useQuery(auditQuery(actions, 10));
  type Entry = NonNullable<typeof query.data>[number];
  const names: Record<string, string> = {
    'get-component-access-token': t('tokens.component'),
    'get-component-ticket': t('tokens.ticket'),
    'get-authorizer-access-token': t('tokens.authorizer'),
  };
  const tones = { ok: 'good', refused: 'action', failed: 'bad' } as const;
  const columns: Column<Entry>[] = [
    {
      key: 'what',
      title: t('tokens.what'),
      card: 'head',
      render: (e) => (
        <span>
          {names[e.action] ?? e.action} {e.target && <code className="faint">{e.target}</code>}
        </span>
      ),
    },
    { key: 'who', title: t('tokens.who'), render: (e) => e.user },
    {
      key: 'outcome',
      title: t('tokens.outcome'),
      card: 'corner',
      render: (e) => <ToneTag tone={tones[e.outcome]} text={t(`tokens.outcomes.${e.outcome}`)} />,
    },
    { key: 'from', title: t('tokens.from'), render: (e) => <code>{e.ip}</code> },
    { key: 'when', title: t('tokens.when'), render: (e) => <Time value={e.at} /> },
  ];
  return (
    <Panel title={t('tokens.recent')} testId="token-audit">
      <QueryView query={query} rows={3}>
        {(entries) =>
          entries.length === 0 ? (
            <EmptyNote title={t('tokens.recentEmpty')} />
          ) : (
            <DataTable
              columns={columns}
              rows={entries}
              rowKey={(e) => e.id}
              testId="token-read"
              label={t('tokens.recent')}
            />
          )
        }
      </QueryView>
    </Panel>
  );
}

/** Tokens hands out what calls of WeChat need, for debugging. */
export default function Tokens() {
  const { t } = useTranslation();
  const may = useCan('operator');
  if (!may) {
    return (
      <>
        <PageHead title={t('tokens.title')} />
        <div className="panel">
          <EmptyNote title={t('tokens.noAccess')} />
        </div>
      </>
    );
  }
  return (
    <>
      <PageHead title={t('tokens.title')} />
      <p className="muted lead">{t('tokens.intro')}</p>
      <div className="tokens">
        <Card
          testId="token-component"
          name={t('tokens.component')}
          hint={t('tokens.componentHint')}
          get={async () => {
            const answer = await call(api.GET('/component/access-token'));
            return { value: answer.access_token, expiresAt: answer.expires_at };
          }}
        />
        <Card
          testId="token-ticket"
          name={t('tokens.ticket')}
          hint={t('tokens.ticketHint')}
          get={async () => {
            const answer = await call(api.GET('/component/ticket'));
            return { value: answer.ticket, receivedAt: answer.received_at };
          }}
        />
        <MerchantToken />
      </div>
      <Recent />
    </>
  );
}
