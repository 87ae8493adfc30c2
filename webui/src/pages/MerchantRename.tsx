import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Input } from 'tdesign-react';
import { api, call } from '../api/client';
import { asProblem, fieldErrors, type Problem } from '../api/problem';
import { keys } from '../api/queries';
import type { AuthorizerDetail } from '../api/types';
import { Button } from '../components/Button';
import { Field } from '../components/Field';
import { Granted } from '../components/Granted';
import { Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { useCan } from '../components/session';
import { toast } from '../components/toast';
import { isTrial } from '../logic/operations';
import { fieldTrouble } from '../logic/registrations';

function RenameForm({ appid }: { appid: string }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [name, setName] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const wrong = name.trim() === '' ? null : fieldTrouble('trial', 'name', { name });
  const byField = problem ? fieldErrors(problem, ['name']) : {};

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (busy || wrong || name.trim() === '') return;
    setBusy(true);
    setProblem(null);
    try {
      const params = { path: { appid } };
      await call(api.PUT('/authorizers/{appid}/trial-name', { params, body: { name: name.trim() } }));
      setName((now) => (now === name ? '' : now)); // what was typed meanwhile is the next name
      toast.success(t('ops.renamed'));
      await client.invalidateQueries({ queryKey: keys.authorizer(appid) });
    } catch (thrown) {
      setProblem(asProblem(thrown));
    } finally {
      setBusy(false);
    }
  }

  return (
    <form className="form" onSubmit={(e) => void submit(e)}>
      <Field
        name="trial-name"
        label={t('registrations.trialName')}
        hint={t('registrations.trialNameHint')}
        error={wrong ? t(`registrations.trouble.${wrong}`) : byField.name}
      >
        <span className="inline">
          <Input value={name} onChange={setName} placeholder="" autocomplete="off" />
          <Button
            type="submit"
            loading={busy}
            disabled={name.trim() === '' || wrong !== null}
            data-testid="rename-trial"
          >
            {t('ops.rename')}
          </Button>
        </span>
      </Field>
      {problem && problem.errors.length === 0 && <ProblemPanel compact error={problem} />}
    </form>
  );
}

/** MerchantRename renames a trial mini program; formal ones change their name with the basic information. */
export function MerchantRename({ merchant }: { merchant: AuthorizerDetail }) {
  const { t } = useTranslation();
  const may = useCan('operator');
  if (!may || !isTrial(merchant)) return null;
  return (
    <Panel title={t('ops.trialName')} testId="ops-trial-name">
      <Granted merchant={merchant} operation="status">
        <RenameForm appid={merchant.appid} />
      </Granted>
    </Panel>
  );
}
