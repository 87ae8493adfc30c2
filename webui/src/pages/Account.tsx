import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Input } from 'tdesign-react';
import { adminKeys } from '../api/admin';
import { api, call } from '../api/client';
import { asProblem, fieldErrors, type Problem } from '../api/problem';
import { keys, metaQuery, sessionQuery } from '../api/queries';
import { Button } from '../components/Button';
import { Field } from '../components/Field';
import { PageHead, Pairs, Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { SecondFactor } from '../components/SecondFactor';
import { Sessions } from '../components/Sessions';
import { SignOutButton } from '../components/SignOutButton';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { passwordFits } from '../logic/people';

function PasswordForm() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const [again, setAgain] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const tooShort = next !== '' && !passwordFits(next);
  const mismatch = again !== '' && again !== next;
  const byField = problem ? fieldErrors(problem, ['current_password', 'new_password']) : {};

  async function submit(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await call(api.POST('/session/password', { body: { current_password: current, new_password: next } }));
      setCurrent('');
      setNext('');
      setAgain('');
      toast.success(t('account.changed'));
      await Promise.all([
        client.invalidateQueries({ queryKey: keys.session }),
        client.invalidateQueries({ queryKey: adminKeys.sessions }),
      ]);
    } catch (thrown) {
      setProblem(asProblem(thrown));
    } finally {
      setBusy(false);
    }
  }

  return (
    <form className="form form--narrow" onSubmit={(e) => void submit(e)}>
      {problem && <ProblemPanel error={problem} />}
      <Field name="current-password" label={t('account.current')} error={byField.current_password}>
        <Input type="password" autocomplete="current-password" value={current} onChange={setCurrent} placeholder="" />
      </Field>
      <Field
        name="new-password"
        label={t('account.next')}
        hint={t('account.tooShort')}
        error={tooShort ? t('account.tooShort') : byField.new_password}
      >
        <Input type="password" autocomplete="new-password" value={next} onChange={setNext} placeholder="" />
      </Field>
      <Field name="again" label={t('account.again')} error={mismatch ? t('account.mismatch') : undefined}>
        <Input type="password" autocomplete="new-password" value={again} onChange={setAgain} placeholder="" />
      </Field>
      <div>
        <Button
          type="submit"
          loading={busy}
          disabled={current === '' || next === '' || tooShort || again !== next}
          data-testid="change-password"
        >
          {t('account.changePassword')}
        </Button>
      </div>
    </form>
  );
}

export default function Account() {
  const { t } = useTranslation();
  const session = useQuery(sessionQuery);
  const meta = useQuery(metaQuery);
  const user = session.data?.user;
  return (
    <>
      <PageHead title={t('account.title')}>
        <SignOutButton />
      </PageHead>
      <Panel>
        <Pairs
          items={[
            [t('account.user'), user?.username],
            [t('account.role'), user ? t(`account.roles.${user.role}`) : ''],
            [t('account.sessionUntil'), <Time key="until" value={session.data?.expires_at} exact />],
            [t('account.version'), meta.data?.version],
          ]}
        />
      </Panel>
      <SecondFactor />
      <Panel title={t('sessions.title')} hint={t('sessions.hint')} testId="own-sessions">
        <Sessions />
      </Panel>
      <Panel title={t('account.changePassword')} hint={t('account.changeEnds')}>
        <PasswordForm />
      </Panel>
    </>
  );
}
