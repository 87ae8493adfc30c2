import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { Input } from 'tdesign-react';
import { adminKeys, securityQuery, usersQuery } from '../api/admin';
import { api, call } from '../api/client';
import { asProblem, fieldErrors, type Problem } from '../api/problem';
import { keys, sessionQuery } from '../api/queries';
import type { SecuritySettings } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { itemsOf } from '../components/DataList';
import { Field } from '../components/Field';
import { NeedsRole } from '../components/NeedsRole';
import { PageHead, Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { QueryView } from '../components/QueryView';
import { ToneTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { toast } from '../components/toast';
import { retentionDays } from '../logic/people';

function RequireTotp({ on }: { on: boolean }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const session = useQuery(sessionQuery);
  const users = useInfiniteQuery(usersQuery);
  const all = itemsOf(users);
  const lacking = all.filter((u) => !u.totp).map((u) => u.username);
  const own = session.data?.totp === false;

  function change() {
    confirm({
      title: on ? t('security.totpOffConfirm') : t('security.totpOnConfirm'),
      hint: on ? (
        t('security.totpOffHint')
      ) : (
        <>
          <p>{t('security.totpOnHint')}</p>
          {own && <p>{t('security.totpOwn')}</p>}
        </>
      ),
      ok: on ? t('security.totpOff') : t('security.totpOn'),
      danger: on,
      run: async () => {
        await call(api.PATCH('/security', { body: { require_totp: !on } }));
        toast.success(t('common.saved'));
        await Promise.all([
          client.invalidateQueries({ queryKey: keys.session }),
          client.invalidateQueries({ queryKey: adminKeys.security }),
        ]);
      },
    });
  }

  return (
    <Panel title={t('security.totp')} hint={t('security.totpHint')} testId="require-totp">
      <p className="inline">
        <ToneTag
          tone={on ? 'good' : 'idle'}
          text={on ? t('security.required') : t('security.optional')}
          testId={on ? 'totp-is-required' : 'totp-is-optional'}
        />
        {users.data && (
          <span className="muted">
            {lacking.length === 0
              ? t('security.allHave')
              : t('security.lack', { n: lacking.length, names: lacking.slice(0, 5).join(', ') })}{' '}
            <Link to="/users">{t('users.title')}</Link>
          </span>
        )}
      </p>
      <div>
        <Button variant="outline" theme={on ? 'danger' : 'primary'} onClick={change} data-testid="toggle-require-totp">
          {on ? t('security.totpOff') : t('security.totpOn')}
        </Button>
      </div>
    </Panel>
  );
}

function Retention({ settings }: { settings: SecuritySettings }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [text, setText] = useState(String(settings.audit_retention_days));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const days = retentionDays(text);
  const byField = problem ? fieldErrors(problem, ['audit_retention_days']) : {};

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (busy || days === null) return;
    setBusy(true);
    setProblem(null);
    try {
      await call(api.PATCH('/security', { body: { audit_retention_days: days } }));
      toast.success(t('common.saved'));
      await client.invalidateQueries({ queryKey: adminKeys.security });
    } catch (thrown) {
      setProblem(asProblem(thrown));
    } finally {
      setBusy(false);
    }
  }

  return (
    <Panel title={t('security.audit')} hint={t('security.auditHint')} testId="retention">
      <form className="form form--narrow" onSubmit={(e) => void submit(e)}>
        <Field
          name="retention"
          label={t('security.days')}
          hint={days === 0 ? t('security.forever') : t('security.daysHint')}
          error={days === null ? t('security.daysWrong') : byField.audit_retention_days}
        >
          <Input value={text} onChange={setText} placeholder="" />
        </Field>
        {problem && problem.errors.length === 0 && <ProblemPanel error={problem} />}
        <div>
          <Button
            type="submit"
            loading={busy}
            disabled={days === null || days === settings.audit_retention_days}
            data-testid="save-retention"
          >
            {t('common.save')}
          </Button>
        </div>
      </form>
    </Panel>
  );
}

/** Security is what is required of users, and how long the audit log is kept. */
export default function Security() {
  const { t } = useTranslation();
  const may = useCan('admin');
  const query = useQuery({ ...securityQuery, enabled: may });
  if (!may) return <NeedsRole title={t('security.title')} needs="admin" />;
  return (
    <>
      <PageHead title={t('security.title')} />
      <QueryView query={query} rows={6}>
        {(settings) => (
          <div className="stack">
            <RequireTotp on={settings.require_totp} />
            <Retention key={settings.audit_retention_days} settings={settings} />
          </div>
        )}
      </QueryView>
    </>
  );
}
