import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Input } from 'tdesign-react';
import { api, call } from '../api/client';
import { libraryQuery } from '../api/operations';
import type { AuthorizerDetail } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { Field } from '../components/Field';
import { Granted } from '../components/Granted';
import { Panel } from '../components/PageHead';
import { QueryView } from '../components/QueryView';
import { useCan } from '../components/session';
import { toast } from '../components/toast';
import { isLibraryVersion } from '../logic/operations';

interface Props {
  merchant: AuthorizerDetail;
}

function Library({ merchant: { appid } }: Props) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  const query = useQuery(libraryQuery(appid));
  const [version, setVersion] = useState('');
  const wanted = version.trim();
  const wrong = wanted !== '' && !isLibraryVersion(wanted);

  function submit(event: FormEvent) {
    event.preventDefault();
    if (wanted === '' || wrong) return;
    confirm({
      title: t('ops.libraryConfirm', { version: wanted }),
      hint: t('ops.libraryHint'),
      ok: t('ops.librarySet'),
      run: async () => {
        const params = { path: { appid } };
        await call(api.PUT('/authorizers/{appid}/support-version', { params, body: { version: wanted } }));
        setVersion('');
        await client.invalidateQueries({ queryKey: libraryQuery(appid).queryKey });
        toast.success(t('common.saved'));
      },
    });
  }

  return (
    <>
      <QueryView query={query} rows={1}>
        {(library) => (
          <p data-testid="library-now">
            {t('ops.libraryNow')} <b>{library.version || t('ops.libraryNone')}</b>
          </p>
        )}
      </QueryView>
      {may && (
        <form className="form" onSubmit={submit}>
          <Field
            name="library"
            label={t('ops.libraryNew')}
            hint={t('ops.libraryHint')}
            error={wrong ? t('ops.libraryTrouble') : undefined}
          >
            <span className="inline">
              <Input value={version} onChange={setVersion} placeholder="2.32.3" autocomplete="off" maxlength={20} />
              <Button type="submit" variant="outline" disabled={wanted === '' || wrong} data-testid="set-library">
                {t('ops.librarySet')}
              </Button>
            </span>
          </Field>
        </form>
      )}
    </>
  );
}

/** MerchantLibrary is the lowest base library a user of the mini program needs. */
export function MerchantLibrary({ merchant }: Props) {
  const { t } = useTranslation();
  return (
    <Panel title={t('ops.library')} testId="ops-library">
      <Granted merchant={merchant} operation="status">
        <Library merchant={merchant} />
      </Granted>
    </Panel>
  );
}
