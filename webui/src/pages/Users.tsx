import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate, useParams } from 'react-router-dom';
import { Input } from 'tdesign-react';
import { adminKeys, usersQuery } from '../api/admin';
import { api, call, newIdempotencyKey } from '../api/client';
import { asProblem, fieldErrors, type Problem } from '../api/problem';
import { keys, sessionQuery } from '../api/queries';
import type { Role, User } from '../api/types';
import { Button, ButtonLink } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { type Column, DataList, itemsOf } from '../components/DataList';
import { Field } from '../components/Field';
import { NeedsRole } from '../components/NeedsRole';
import { PageHead, Pairs } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { EmptyNote, Loading } from '../components/QueryView';
import { SecretPanel } from '../components/SecretView';
import { Segmented } from '../components/Segmented';
import { Sessions } from '../components/Sessions';
import { SidePanel } from '../components/SidePanel';
import { ToneTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { lastAdmin, madePassword, passwordFits, roles, usernameFits } from '../logic/people';

function RoleChoice(props: { name: string; value: Role; onChange: (role: Role) => void }) {
  const { t } = useTranslation();
  return (
    <>
      <Segmented
        {...props}
        label={t('account.role')}
        options={roles.map((value) => ({ value, label: t(`account.roles.${value}`) }))}
      />
      <span className="field__hint">{t(`users.roleHint.${props.value}`)}</span>
    </>
  );
}

function PasswordField(props: { value: string; onChange: (value: string) => void; error?: string }) {
  const { t } = useTranslation();
  const { value, onChange, error } = props;
  const wrong = value !== '' && !passwordFits(value);
  return (
    <Field
      name="user-password"
      label={t('users.password')}
      hint={t('users.passwordHint')}
      error={wrong ? t('users.passwordWrong') : error}
      aside={
        <button
          type="button"
          className="linkbutton"
          onClick={() => onChange(madePassword())}
          data-testid="make-password"
        >
          {t('users.make')}
        </button>
      }
    >
      <Input value={value} onChange={onChange} autocomplete="off" placeholder="" />
    </Field>
  );
}

/** Handover is a password that an administrator has set, to be passed on. */
interface Handover {
  username: string;
  password: string;
}

function CreateForm({ onCreated }: { onCreated: (handover: Handover) => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [role, setRole] = useState<Role>('viewer');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  // The same key for every try of the same form: a lost answer makes no conflict with oneself.
  const [key, setKey] = useState(newIdempotencyKey);
  const byField = problem ? fieldErrors(problem, ['username', 'password', 'role']) : {};
  const name = username.trim();

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (busy || !usernameFits(name) || !passwordFits(password)) return;
    setBusy(true);
    setProblem(null);
    try {
      await call(
        api.POST('/users', {
          body: { username: name, password, role },
          params: { header: { 'Idempotency-Key': key } },
        }),
      );
      await client.invalidateQueries({ queryKey: adminKeys.users });
      onCreated({ username: name, password });
    } catch (thrown) {
      const p = asProblem(thrown);
      setProblem(p);
      if (p.status !== 0) setKey(newIdempotencyKey());
    } finally {
      setBusy(false);
    }
  }

  return (
    <form className="form" onSubmit={(e) => void submit(e)} data-testid="user-form">
      <Field
        name="new-username"
        label={t('account.user')}
        hint={t('users.nameHint')}
        error={name !== '' && !usernameFits(name) ? t('users.nameWrong') : byField.username}
      >
        <Input value={username} onChange={setUsername} autocomplete="off" placeholder="" autofocus />
      </Field>
      <Field name="new-role" group label={t('account.role')} error={byField.role}>
        <RoleChoice name="new-role" value={role} onChange={setRole} />
      </Field>
      <PasswordField value={password} onChange={setPassword} error={byField.password} />
      {problem && problem.errors.length === 0 && <ProblemPanel error={problem} />}
      <div>
        <Button
          type="submit"
          loading={busy}
          disabled={!usernameFits(name) || !passwordFits(password)}
          data-testid="create-user"
        >
          {t('users.create')}
        </Button>
      </div>
    </form>
  );
}

function ResetPassword({ user, onSet }: { user: User; onSet: (handover: Handover) => void }) {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const client = useQueryClient();
  const [password, setPassword] = useState('');

  function submit(event: FormEvent) {
    event.preventDefault();
    if (!passwordFits(password)) return;
    confirm({
      title: t('users.resetConfirm', { name: user.username }),
      hint: t('users.resetHint'),
      ok: t('users.reset'),
      run: async () => {
        await call(api.PATCH('/users/{id}', { params: { path: { id: user.id } }, body: { password } }));
        setPassword('');
        onSet({ username: user.username, password });
        await client.invalidateQueries({ queryKey: adminKeys.sessions });
      },
    });
  }

  return (
    <form className="form" onSubmit={submit}>
      <PasswordField value={password} onChange={setPassword} />
      <div>
        <Button type="submit" variant="outline" disabled={!passwordFits(password)} data-testid="reset-password">
          {t('users.reset')}
        </Button>
      </div>
    </form>
  );
}

interface OneProps {
  user: User;
  own: boolean;
  last: boolean;
  onGone: () => void;
  onHandover: (handover: Handover) => void;
}

/** OneUser is a user in its drawer. */
function OneUser({ user, own, last, onGone, onHandover }: OneProps) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const [role, setRole] = useState<Role>(user.role);
  const path = { id: user.id };

  function changeRole() {
    confirm({
      title: t('users.roleConfirm', { name: user.username, role: t(`account.roles.${role}`) }),
      hint: own ? t('users.roleOwn') : t('users.roleNow'),
      ok: t('common.save'),
      danger: own,
      run: async () => {
        await call(api.PATCH('/users/{id}', { params: { path }, body: { role } }));
        toast.success(t('common.saved'));
        await Promise.all([
          client.invalidateQueries({ queryKey: adminKeys.users }),
          own ? client.invalidateQueries({ queryKey: keys.session }) : undefined,
        ]);
      },
    });
  }

  function takeTotp() {
    confirm({
      title: t('users.totpConfirm', { name: user.username }),
      hint: t('users.totpHint'),
      ok: t('users.totpTake'),
      danger: true,
      run: async () => {
        await call(api.DELETE('/users/{id}/totp', { params: { path } }));
        toast.success(t('users.totpTaken'));
        await Promise.all([
          client.invalidateQueries({ queryKey: adminKeys.users }),
          client.invalidateQueries({ queryKey: adminKeys.sessions }),
        ]);
      },
    });
  }

  function remove() {
    confirm({
      title: t('users.deleteConfirm', { name: user.username }),
      hint: t('users.deleteHint'),
      ok: t('users.delete'),
      danger: true,
      run: async () => {
        await call(api.DELETE('/users/{id}', { params: { path } }));
        onGone();
        toast.success(t('users.deleted'));
        await client.invalidateQueries({ queryKey: adminKeys.users });
      },
    });
  }

  return (
    <>
      <Pairs
        items={[
          [t('totp.title'), <TotpTag key="totp" on={user.totp} />],
          [
            t('users.lastSignIn'),
            user.last_sign_in_at ? <Time value={user.last_sign_in_at} exact="both" /> : t('users.never'),
          ],
          [t('common.createdAt'), <Time key="at" value={user.created_at} exact />],
        ]}
      />
      {last && (
        <p className="banner" role="note" data-testid="last-admin">
          {t('users.last')}
        </p>
      )}
      <section className="form">
        <Field name="role" group label={t('account.role')}>
          <RoleChoice name="role" value={role} onChange={setRole} />
        </Field>
        <div>
          <Button
            variant="outline"
            disabled={role === user.role || (last && role !== 'admin')}
            onClick={changeRole}
            data-testid="save-role"
          >
            {t('common.save')}
          </Button>
        </div>
      </section>
      {own ? (
        <p className="muted">
          {t('users.own')} <Link to="/account">{t('account.title')}</Link>
        </p>
      ) : (
        <>
          <section className="form">
            <h3>{t('users.resetTitle')}</h3>
            <ResetPassword user={user} onSet={onHandover} />
          </section>
          {user.totp && (
            <section className="form">
              <h3>{t('totp.title')}</h3>
              <p className="muted">{t('users.totpHint')}</p>
              <div>
                <Button variant="outline" theme="danger" onClick={takeTotp} data-testid="take-totp">
                  {t('users.totpTake')}
                </Button>
              </div>
            </section>
          )}
          <section className="form">
            <h3>{t('sessions.title')}</h3>
            <Sessions user={user} />
          </section>
        </>
      )}
      {!last && (
        <div>
          <Button variant="outline" theme="danger" onClick={remove} data-testid="delete-user">
            {t('users.delete')}
          </Button>
        </div>
      )}
    </>
  );
}

function TotpTag({ on }: { on: boolean }) {
  const { t } = useTranslation();
  return (
    <ToneTag
      tone={on ? 'good' : 'idle'}
      text={on ? t('totp.on') : t('totp.off')}
      testId={on ? 'user-totp' : undefined}
    />
  );
}

/** Users are who may sign in. */
export default function Users() {
  const { t } = useTranslation();
  const may = useCan('admin');
  const navigate = useNavigate();
  const { id = '' } = useParams();
  const session = useQuery(sessionQuery);
  const list = useInfiniteQuery({ ...usersQuery, enabled: may });
  const [handover, setHandover] = useState<Handover | null>(null);
  const users = itemsOf(list);
  const open = users.find((u) => u.id === id);
  const ownId = session.data?.user.id;
  if (!may) return <NeedsRole title={t('users.title')} needs="admin" />;

  const close = () => void navigate('/users', { replace: true });
  const columns: Column<User>[] = [
    {
      key: 'name',
      title: t('account.user'),
      card: 'head',
      render: (u) => (
        <Link to={`/users/${u.id}`} data-testid={`open-${u.username}`}>
          <b>{u.username}</b>
          {u.id === ownId && <span className="faint"> {t('users.you')}</span>}
        </Link>
      ),
    },
    { key: 'role', title: t('account.role'), card: 'corner', render: (u) => t(`account.roles.${u.role}`) },
    { key: 'totp', title: t('totp.title'), render: (u) => <TotpTag on={u.totp} /> },
    {
      key: 'last',
      title: t('users.lastSignIn'),
      render: (u) =>
        u.last_sign_in_at ? <Time value={u.last_sign_in_at} /> : <span className="faint">{t('users.never')}</span>,
    },
    { key: 'at', title: t('common.createdAt'), render: (u) => <Time value={u.created_at} /> },
  ];

  return (
    <>
      <PageHead title={t('users.title')}>
        <ButtonLink to="/users/new" testId="new-user">
          {t('users.create')}
        </ButtonLink>
      </PageHead>
      <p className="muted lead">{t('users.intro')}</p>
      <div className="panel panel--flush">
        <DataList
          query={list}
          columns={columns}
          rowKey={(u) => u.username}
          testId="user"
          label={t('users.title')}
          empty={<EmptyNote title={t('users.empty')} />}
        />
      </div>
      <SidePanel testId="user-new" title={t('users.create')} open={id === 'new'} onClose={close}>
        <CreateForm
          onCreated={(made) => {
            close();
            setHandover(made);
          }}
        />
      </SidePanel>
      <SidePanel
        testId="user-detail"
        title={open?.username ?? t('users.title')}
        open={id !== '' && id !== 'new'}
        onClose={close}
      >
        {open ? (
          <OneUser
            key={`${open.id} ${open.role}`}
            user={open}
            own={open.id === ownId}
            last={lastAdmin(open, users) && !list.hasNextPage}
            onGone={close}
            onHandover={setHandover}
          />
        ) : list.data ? (
          <EmptyNote title={t('users.gone')} />
        ) : (
          <Loading rows={4} />
        )}
      </SidePanel>
      <SecretPanel
        testId="handover"
        title={t('users.handoverTitle', { name: handover?.username ?? '' })}
        note={t('users.handover', { name: handover?.username ?? '' })}
        secret={handover?.password ?? ''}
        onClose={() => setHandover(null)}
      >
        <p className="muted">{t('users.handoverHint')}</p>
      </SecretPanel>
    </>
  );
}
