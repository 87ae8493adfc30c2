import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Input } from 'tdesign-react';
import { adminKeys, apiKeysQuery } from '../api/admin';
import { api, call, newIdempotencyKey } from '../api/client';
import { asProblem, fieldErrors, type Problem } from '../api/problem';
import type { ApiKey, Role } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { type Column, DataList } from '../components/DataList';
import { Field } from '../components/Field';
import { NeedsRole } from '../components/NeedsRole';
import { PageHead } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { EmptyNote } from '../components/QueryView';
import { SecretPanel } from '../components/SecretView';
import { Segmented } from '../components/Segmented';
import { SidePanel } from '../components/SidePanel';
import { ToneTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { useNow } from '../components/useNow';
import { type KeyLife, keyExpiry, keyLives, keyState, roles } from '../logic/people';

function CreateForm({ onMade }: { onMade: (key: string) => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('operator');
  const [life, setLife] = useState<KeyLife>('90');
  const [own, setOwn] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [key, setKey] = useState(newIdempotencyKey);
  const byField = problem ? fieldErrors(problem, ['name', 'role', 'expires_at']) : {};
  const over = life === 'own' && own !== '' && keyExpiry(life, own, Date.now()) === undefined;

  async function submit(event: FormEvent) {
    event.preventDefault();
    const expires = keyExpiry(life, own, Date.now());
    if (busy || name.trim() === '' || expires === undefined) return;
    setBusy(true);
    setProblem(null);
    try {
      const body = { name: name.trim(), role, expires_at: expires };
      const made = await call(api.POST('/api-keys', { body, params: { header: { 'Idempotency-Key': key } } }));
      await client.invalidateQueries({ queryKey: adminKeys.apiKeys });
      onMade(made.key);
    } catch (thrown) {
      const p = asProblem(thrown);
      setProblem(p);
      if (p.status !== 0) setKey(newIdempotencyKey());
    } finally {
      setBusy(false);
    }
  }

  return (
    <form className="form" onSubmit={(e) => void submit(e)} data-testid="key-form">
      <Field name="key-name" label={t('apiKeys.name')} hint={t('apiKeys.nameHint')} error={byField.name}>
        <Input value={name} onChange={setName} placeholder="" autofocus />
      </Field>
      <Field name="key-role" group label={t('account.role')} error={byField.role}>
        <Segmented
          name="key-role"
          label={t('account.role')}
          value={role}
          onChange={setRole}
          options={roles.map((value) => ({ value, label: t(`account.roles.${value}`) }))}
        />
        <span className="field__hint">{t(`users.roleHint.${role}`)}</span>
      </Field>
      <Field
        name="key-expiry"
        group
        label={t('apiKeys.expiry')}
        hint={life === 'never' ? t('apiKeys.neverHint') : undefined}
        error={over ? t('apiKeys.over') : byField.expires_at}
      >
        <Segmented
          name="key-expiry"
          label={t('apiKeys.expiry')}
          value={life}
          onChange={setLife}
          options={keyLives.map((value) => ({ value, label: t(`apiKeys.lives.${value}`) }))}
        />
        {life === 'own' && (
          <input
            className="input input--time"
            type="datetime-local"
            aria-label={t('apiKeys.expiry')}
            value={own}
            onChange={(e) => setOwn(e.target.value)}
          />
        )}
      </Field>
      {problem && problem.errors.length === 0 && <ProblemPanel error={problem} />}
      <div>
        <Button
          type="submit"
          loading={busy}
          disabled={name.trim() === '' || (life === 'own' && (own === '' || over))}
          data-testid="create-key"
        >
          {t('apiKeys.create')}
        </Button>
      </div>
    </form>
  );
}

function Ends({ at }: { at: string | null }) {
  const { t } = useTranslation();
  const state = keyState(at, useNow());
  if (at === null) return <span className="faint">{t('apiKeys.lives.never')}</span>;
  if (state === 'over') return <ToneTag tone="ended" text={t('apiKeys.ended')} />;
  return (
    <span className={state === 'ending' ? 'note--bad' : undefined}>
      <Time value={at} />
    </span>
  );
}

/** ApiKeys are what programs prove themselves with. */
export default function ApiKeys() {
  const { t } = useTranslation();
  const may = useCan('admin');
  const client = useQueryClient();
  const confirm = useConfirm();
  const list = useInfiniteQuery({ ...apiKeysQuery, enabled: may });
  const [open, setOpen] = useState(false);
  const [made, setMade] = useState('');
  if (!may) return <NeedsRole title={t('apiKeys.title')} needs="admin" />;

  function revoke(key: ApiKey) {
    confirm({
      title: t('apiKeys.revokeConfirm', { name: key.name }),
      hint: t('apiKeys.revokeHint'),
      ok: t('apiKeys.revoke'),
      danger: true,
      run: async () => {
        await call(api.DELETE('/api-keys/{id}', { params: { path: { id: key.id } } }));
        toast.success(t('apiKeys.revoked'));
        await client.invalidateQueries({ queryKey: adminKeys.apiKeys });
      },
    });
  }

  const columns: Column<ApiKey>[] = [
    {
      key: 'name',
      title: t('apiKeys.name'),
      card: 'head',
      render: (k) => (
        <span className="named">
          <b>{k.name}</b>
          <code>{k.prefix}…</code>
        </span>
      ),
    },
    { key: 'role', title: t('account.role'), card: 'corner', render: (k) => t(`account.roles.${k.role}`) },
    {
      key: 'used',
      title: t('apiKeys.used'),
      render: (k) =>
        k.last_used_at ? (
          <Time value={k.last_used_at} />
        ) : (
          <span className="faint" data-testid="never-used">
            {t('apiKeys.unused')}
          </span>
        ),
    },
    { key: 'ends', title: t('common.expiresAt'), render: (k) => <Ends at={k.expires_at} /> },
    { key: 'by', title: t('apiKeys.by'), render: (k) => k.created_by },
    { key: 'at', title: t('common.createdAt'), render: (k) => <Time value={k.created_at} /> },
    {
      key: 'do',
      title: '',
      card: 'foot',
      align: 'end',
      render: (k) => (
        <Button
          size="small"
          variant="outline"
          theme="danger"
          onClick={() => revoke(k)}
          data-testid={`revoke-${k.name}`}
        >
          {t('apiKeys.revoke')}
        </Button>
      ),
    },
  ];

  return (
    <>
      <PageHead title={t('apiKeys.title')}>
        <Button onClick={() => setOpen(true)} data-testid="new-key">
          {t('apiKeys.create')}
        </Button>
      </PageHead>
      <p className="muted lead">{t('apiKeys.intro')}</p>
      <div className="panel panel--flush">
        <DataList
          query={list}
          columns={columns}
          rowKey={(k) => k.id}
          testId="key"
          label={t('apiKeys.title')}
          empty={<EmptyNote title={t('apiKeys.empty')} hint={t('apiKeys.emptyHint')} />}
        />
      </div>
      <SidePanel testId="key-new" title={t('apiKeys.create')} open={open} onClose={() => setOpen(false)}>
        <CreateForm
          onMade={(key) => {
            setOpen(false);
            setMade(key);
          }}
        />
      </SidePanel>
      <SecretPanel
        testId="key-made"
        title={t('apiKeys.madeTitle')}
        note={t('apiKeys.once')}
        secret={made}
        onClose={() => setMade('')}
      >
        <section className="verify">
          <h3>{t('apiKeys.use')}</h3>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must get there. */}
          <pre className="code code--program" tabIndex={0}>
            {`curl -H "Authorization: Bearer $WXSTEWARD_KEY" ${window.location.origin}/api/v1/authorizers`}
          </pre>
        </section>
      </SecretPanel>
    </>
  );
}
