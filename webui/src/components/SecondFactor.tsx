import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Input } from 'tdesign-react';
import { adminKeys, totpQuery } from '../api/admin';
import { api, call } from '../api/client';
import { asProblem, fieldErrors, type Problem } from '../api/problem';
import { keys } from '../api/queries';
import type { TotpSetup } from '../api/types';
import { codeFits, tidyCode } from '../logic/people';
import { Button } from './Button';
import { CopyLine } from './Copy';
import { Field } from './Field';
import { Pairs, Panel } from './PageHead';
import { ProblemPanel } from './ProblemPanel';
import { QueryView } from './QueryView';
import { RecoveryCodes } from './RecoveryCodes';
import { ToneTag } from './StateTag';
import { Time } from './Time';
import { toast } from './toast';

interface CodeFormProps {
  /** recovery: a recovery code counts, too. */
  recovery: boolean;
  /** password asks for the password as well. */
  password?: boolean;
  ok: string;
  danger?: boolean;
  onCancel?: () => void;
  send: (code: string, password: string) => Promise<void>;
  testId: string;
}

/** CodeForm asks for a code and sends it. */
function CodeForm({ recovery, password: asks, ok, danger, onCancel, send, testId }: CodeFormProps) {
  const { t } = useTranslation();
  const [code, setCode] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const byField = problem ? fieldErrors(problem, ['code', 'password']) : {};

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (busy || !codeFits(code, recovery)) return;
    setBusy(true);
    setProblem(null);
    try {
      await send(tidyCode(code), password);
    } catch (thrown) {
      setProblem(asProblem(thrown));
      setCode('');
    } finally {
      setBusy(false);
    }
  }

  return (
    <form className="form form--narrow" onSubmit={(e) => void submit(e)} data-testid={testId}>
      {asks && (
        <Field name="totp-password" label={t('account.current')} error={byField.password}>
          <Input
            type="password"
            autocomplete="current-password"
            value={password}
            onChange={setPassword}
            placeholder=""
          />
        </Field>
      )}
      <Field
        name="totp-code"
        label={recovery ? t('totp.codeOrRecovery') : t('totp.code')}
        hint={t('totp.codeHint')}
        error={byField.code}
      >
        <Input
          value={code}
          onChange={setCode}
          autocomplete="one-time-code"
          placeholder=""
          inputClass={recovery ? undefined : 'codeinput'}
        />
      </Field>
      {problem && problem.errors.length === 0 && <ProblemPanel error={problem} />}
      <div className="buttons">
        <Button
          type="submit"
          theme={danger ? 'danger' : 'primary'}
          loading={busy}
          disabled={!codeFits(code, recovery) || (asks && password === '')}
          data-testid={`${testId}-ok`}
        >
          {ok}
        </Button>
        {onCancel && (
          <Button variant="outline" theme="default" onClick={onCancel}>
            {t('common.cancel')}
          </Button>
        )}
      </div>
    </form>
  );
}

interface SetUpProps {
  /** onOn is called when it counts, while its recovery codes are still on the screen. */
  onOn?: () => void;
  onDone: () => void;
}

/** TotpSetUp leads from nothing to a second factor whose recovery codes have been seen; onDone is called then. */
export function TotpSetUp({ onOn, onDone }: SetUpProps) {
  const { t } = useTranslation();
  const [setup, setSetup] = useState<TotpSetup | null>(null);
  const [codes, setCodes] = useState<readonly string[] | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  async function begin() {
    setBusy(true);
    setError(null);
    try {
      setSetup(await call(api.POST('/session/totp')));
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }

  if (codes) return <RecoveryCodes codes={codes} onKept={onDone} />;
  if (!setup) {
    return (
      <>
        {error !== null && <ProblemPanel error={error} />}
        <div>
          <Button loading={busy} onClick={() => void begin()} data-testid="totp-begin">
            {t('totp.begin')}
          </Button>
        </div>
      </>
    );
  }
  return (
    <div className="totpsetup" data-testid="totp-setup">
      <ol className="totpsetup__steps">
        <li>
          <b>{t('totp.scan')}</b>
          <p className="muted">{t('totp.apps')}</p>
          <img src={setup.qr} width={192} height={192} alt={t('totp.qrAlt')} data-testid="totp-qr" />
          <p className="muted">
            <a href={setup.otpauth_url}>{t('totp.onPhone')}</a>
          </p>
          <p className="muted">{t('totp.byHand')}</p>
          <CopyLine text={setup.secret} testId="totp-secret" />
        </li>
        <li>
          <b>{t('totp.type')}</b>
          <CodeForm
            recovery={false}
            ok={t('totp.turnOn')}
            testId="totp-confirm"
            send={async (code) => {
              const answer = await call(api.POST('/session/totp/confirm', { body: { code } }));
              setCodes(answer.recovery_codes ?? []);
              onOn?.();
            }}
          />
        </li>
      </ol>
    </div>
  );
}

/** SecondFactor is a user's own second factor: set up, new recovery codes, switched off. */
export function SecondFactor() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const query = useQuery(totpQuery);
  const [open, setOpen] = useState<'' | 'set-up' | 'renew' | 'remove'>('');
  const [codes, setCodes] = useState<readonly string[] | null>(null);
  // The recovery codes of a new one stay on the screen, whatever is read meanwhile.
  const [justOn, setJustOn] = useState(false);

  async function changed() {
    setOpen('');
    setJustOn(false);
    await Promise.all(
      [adminKeys.totp, adminKeys.sessions, adminKeys.users, keys.session].map((queryKey) =>
        client.invalidateQueries({ queryKey }),
      ),
    );
  }

  return (
    <Panel title={t('totp.title')} hint={t('totp.hint')} testId="second-factor">
      <QueryView query={query} rows={2}>
        {(totp) => (
          <>
            <Pairs
              brief
              items={[
                [
                  t('common.state'),
                  totp.enabled || justOn ? (
                    <ToneTag key="on" tone="good" text={t('totp.on')} testId="totp-on" />
                  ) : (
                    <ToneTag key="off" tone="idle" text={t('totp.off')} testId="totp-off" />
                  ),
                ],
                [t('totp.since'), totp.enabled_at && <Time key="since" value={totp.enabled_at} />],
                [
                  t('totp.left'),
                  totp.enabled ? (
                    <span key="left" data-testid="codes-left">
                      {totp.recovery_codes_left}
                    </span>
                  ) : (
                    ''
                  ),
                ],
              ]}
            />
            {totp.enabled && totp.recovery_codes_left <= 3 && (
              <p className="banner" role="status">
                {t('totp.fewLeft')}
              </p>
            )}
            {codes && (
              <RecoveryCodes
                codes={codes}
                onKept={() => {
                  setCodes(null);
                  void changed();
                }}
              />
            )}
            {(!totp.enabled || justOn) && <TotpSetUp onOn={() => setJustOn(true)} onDone={() => void changed()} />}
            {totp.enabled && !justOn && !codes && open === '' && (
              <div className="buttons">
                <Button variant="outline" theme="default" onClick={() => setOpen('renew')} data-testid="renew-codes">
                  {t('totp.renew')}
                </Button>
                <Button variant="outline" theme="danger" onClick={() => setOpen('remove')} data-testid="remove-totp">
                  {t('totp.remove')}
                </Button>
              </div>
            )}
            {totp.enabled && open === 'renew' && (
              <>
                <p className="muted">{t('totp.renewHint')}</p>
                <CodeForm
                  recovery
                  ok={t('totp.renew')}
                  onCancel={() => setOpen('')}
                  testId="totp-renew"
                  send={async (code) => {
                    const answer = await call(api.POST('/session/recovery-codes', { body: { code } }));
                    setOpen('');
                    setCodes(answer.recovery_codes ?? []);
                  }}
                />
              </>
            )}
            {totp.enabled && open === 'remove' && (
              <>
                <p className="muted">{t('totp.removeHint')}</p>
                <CodeForm
                  recovery
                  password
                  danger
                  ok={t('totp.remove')}
                  onCancel={() => setOpen('')}
                  testId="totp-remove"
                  send={async (code, password) => {
                    await call(api.DELETE('/session/totp', { body: { code, password } }));
                    toast.success(t('totp.removed'));
                    await changed();
                  }}
                />
              </>
            )}
          </>
        )}
      </QueryView>
    </Panel>
  );
}
