import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Navigate, useLocation, useSearchParams } from 'react-router-dom';
import { Input } from 'tdesign-react';
import { api, call } from '../api/client';
import { asProblem, type Problem } from '../api/problem';
import { keys, sessionQuery } from '../api/queries';
import { Button } from '../components/Button';
import { Field } from '../components/Field';
import { ProblemPanel } from '../components/ProblemPanel';
import { LanguageButton, SimulationBanner } from '../components/Shell';

/** safeNext keeps the way back inside the admin UI. */
function safeNext(next: string | null): string {
  return next?.startsWith('/') && !next.startsWith('//') && !next.includes('\\') ? next : '/';
}

function Failure({ problem }: { problem: Problem }) {
  const { t } = useTranslation();
  if (problem.status === 429) {
    const minutes = Math.max(1, Math.ceil((problem.retryAfterSeconds ?? 900) / 60));
    return (
      <div className="problem" role="alert" data-testid="locked-out">
        <div className="problem__text">
          <strong>{t('signIn.locked')}</strong>
          <p>{t('signIn.lockedFor', { minutes })}</p>
        </div>
      </div>
    );
  }
  if (problem.status === 401) {
    return (
      <div className="problem" role="alert" data-testid="wrong-password">
        <div className="problem__text">
          <strong>{t('signIn.wrong')}</strong>
        </div>
      </div>
    );
  }
  return <ProblemPanel error={problem} />;
}

export function SignIn() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [params] = useSearchParams();
  const expired = (useLocation().state as { expired?: boolean } | null)?.expired === true;
  const session = useQuery(sessionQuery);
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);

  useEffect(() => {
    document.title = `${t('signIn.title')} · wxsteward`;
  }, [t]);

  if (session.data) return <Navigate to={safeNext(params.get('next'))} replace />;

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      const answer = await call(api.POST('/session', { body: { username: username.trim(), password } }));
      client.setQueryData(keys.session, answer);
    } catch (thrown) {
      setProblem(asProblem(thrown));
      setPassword('');
    } finally {
      setBusy(false);
    }
  }

  return (
    <>
      <SimulationBanner />
      <main className="signin">
        <form className="signin__card" onSubmit={(e) => void submit(e)} data-testid="sign-in">
          <svg className="signin__mark" viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="8" />
            <path d="M6.5 10.5 11 22l5-11 5 11 4.5-11.5" />
          </svg>
          <h1>{t('signIn.title')}</h1>
          <p className="muted">{t('app.name')}</p>
          {expired && !problem && (
            <p className="banner" role="status" data-testid="session-expired">
              {t('signIn.expired')}
            </p>
          )}
          {problem && <Failure problem={problem} />}
          <Field name="username" label={t('signIn.username')}>
            <Input
              size="large"
              autofocus
              autocomplete="username"
              value={username}
              onChange={setUsername}
              placeholder=""
            />
          </Field>
          <Field name="password" label={t('signIn.password')}>
            <Input
              size="large"
              type="password"
              autocomplete="current-password"
              value={password}
              onChange={setPassword}
              placeholder=""
            />
          </Field>
          <Button
            block
            size="large"
            type="submit"
            loading={busy}
            disabled={username.trim() === '' || password === ''}
            data-testid="sign-in-submit"
          >
            {t('signIn.submit')}
          </Button>
          <p className="faint">{t('signIn.firstPassword')}</p>
          <LanguageButton />
        </form>
      </main>
    </>
  );
}
