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
import { codeFits, tidyCode } from '../logic/people';

/** safeNext keeps the way back inside the admin UI. */
function safeNext(next: string | null): string {
  return next?.startsWith('/') && !next.startsWith('//') && !next.includes('\\') ? next : '/';
}

/** Failure says why nobody is signed in; code: a code was sent along. */
function Failure({ problem, code }: { problem: Problem; code: boolean }) {
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
      <div className="problem" role="alert" data-testid={code ? 'wrong-code' : 'wrong-password'}>
        <div className="problem__text">
          <strong>{code ? problem.detail : t('signIn.wrong')}</strong>
        </div>
      </div>
    );
  }
  return <ProblemPanel error={problem} />;
}

export default function SignIn() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [params] = useSearchParams();
  const expired = (useLocation().state as { expired?: boolean } | null)?.expired === true;
  const session = useQuery(sessionQuery);
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  /** asked: the password was right, and a code is wanted. */
  const [asked, setAsked] = useState(false);
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
      const body = { username: username.trim(), password, ...(asked && { code: tidyCode(code) }) };
      const answer = await call(api.POST('/session', { body }));
      client.setQueryData(keys.session, answer);
    } catch (thrown) {
      const refused = asProblem(thrown);
      if (refused.code === 'totp_required') {
        setAsked(true);
      } else {
        setProblem(refused);
        if (asked) setCode('');
        else setPassword('');
      }
    } finally {
      setBusy(false);
    }
  }

  function back() {
    setAsked(false);
    setCode('');
    setPassword('');
    setProblem(null);
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
          {problem && <Failure problem={problem} code={asked} />}
          {asked ? (
            <Field name="code" label={t('totp.codeOrRecovery')} hint={t('signIn.codeHint')}>
              <Input
                key="code"
                size="large"
                autofocus
                autocomplete="one-time-code"
                value={code}
                onChange={setCode}
                placeholder=""
              />
            </Field>
          ) : (
            <>
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
            </>
          )}
          <Button
            block
            size="large"
            type="submit"
            loading={busy}
            disabled={asked ? !codeFits(code, true) : username.trim() === '' || password === ''}
            data-testid="sign-in-submit"
          >
            {t('signIn.submit')}
          </Button>
          {asked ? (
            <>
              <p className="faint">{t('signIn.codeLost')}</p>
              <Button variant="text" theme="default" onClick={back} data-testid="sign-in-back">
                {t('signIn.back')}
              </Button>
            </>
          ) : (
            <p className="faint">{t('signIn.firstPassword')}</p>
          )}
          <LanguageButton />
        </form>
      </main>
    </>
  );
}
