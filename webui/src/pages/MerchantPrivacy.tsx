import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Input } from 'tdesign-react';
import { api, call } from '../api/client';
import { privacyQuery } from '../api/operations';
import type { paths } from '../api/schema';
import { Button } from '../components/Button';
import { Field } from '../components/Field';
import { Pairs, Panel } from '../components/PageHead';
import { PrivacyRows } from '../components/PrivacyRows';
import { ProblemPanel } from '../components/ProblemPanel';
import { QueryView } from '../components/QueryView';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { useSaving } from '../components/useSaving';
import { ownerFields } from '../logic/rollout';

type Guideline = paths['/authorizers/{appid}/privacy']['get']['responses'][200]['content']['application/json'];

function Edit({ appid, now, onClose }: { appid: string; now: Guideline; onClose: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [owner, setOwner] = useState(now.owner_setting);
  const [rows, setRows] = useState(() => {
    const rows = now.setting_list ?? [];
    const known = new Set(rows.map((r) => r.privacy_key));
    // What the code uses and nobody has explained yet stands there to be filled in.
    return [
      ...rows,
      ...(now.missing ?? []).filter((k) => !known.has(k)).map((k) => ({ privacy_key: k, privacy_text: '' })),
    ];
  });
  const { busy, error, run } = useSaving();

  async function submit() {
    await run(async () => {
      const saved = await call(
        api.PUT('/authorizers/{appid}/privacy', {
          params: { path: { appid } },
          body: {
            owner_setting: owner,
            setting_list: rows.filter((r) => r.privacy_key !== '' || r.privacy_text !== ''),
          },
        }),
      );
      client.setQueryData(privacyQuery(appid).queryKey, saved);
      toast.success(t('common.saved'));
      onClose();
    });
  }

  return (
    <form
      className="form"
      onSubmit={(e) => {
        e.preventDefault();
        void submit();
      }}
      data-testid="privacy-form"
    >
      <div className="form__row">
        {ownerFields.map((f) => (
          <Field key={f} name={f} label={t(`newRollout.owner.${f}`)}>
            <Input value={owner[f] ?? ''} onChange={(v) => setOwner((old) => ({ ...old, [f]: v }))} />
          </Field>
        ))}
        <Field name="notice-method" label={t('newRollout.notice')}>
          <Input
            value={owner.notice_method ?? ''}
            onChange={(v) => setOwner((old) => ({ ...old, notice_method: v }))}
          />
        </Field>
      </div>
      <PrivacyRows rows={rows} onChange={setRows} />
      {error !== null && <ProblemPanel error={error} />}
      <div className="buttons">
        <Button type="submit" loading={busy} data-testid="save-privacy">
          {t('byhand.savePrivacy')}
        </Button>
        <Button variant="outline" theme="default" onClick={onClose}>
          {t('common.cancel')}
        </Button>
      </div>
    </form>
  );
}

/** MerchantPrivacy shows and writes the privacy guideline of one merchant, read from WeChat at once. */
export function MerchantPrivacy({ appid }: { appid: string }) {
  const { t } = useTranslation();
  const may = useCan('operator');
  const query = useQuery(privacyQuery(appid));
  const [editing, setEditing] = useState(false);
  return (
    <Panel title={t('byhand.privacy')} hint={t('byhand.privacyHint')} testId="merchant-privacy">
      <QueryView query={query} rows={2}>
        {(now) =>
          editing ? (
            <Edit appid={appid} now={now} onClose={() => setEditing(false)} />
          ) : (
            <div className="stack">
              {(now.missing ?? []).length > 0 && (
                <div className="banner" role="status">
                  {t('byhand.privacyMissing', { keys: (now.missing ?? []).join(', ') })}
                </div>
              )}
              <Pairs
                brief
                items={[
                  [t('byhand.detected'), (now.detected ?? []).join(', ')],
                  ...ownerFields.map((f): [string, string] => [t(`newRollout.owner.${f}`), now.owner_setting[f] ?? '']),
                  [t('newRollout.notice'), now.owner_setting.notice_method ?? ''],
                  ...(now.setting_list ?? []).map((r): [string, string] => [r.privacy_key, r.privacy_text]),
                  [t('byhand.updatedAt'), now.updated_at && <Time key="at" value={now.updated_at} />],
                ]}
              />
              {may && (
                <div className="buttons">
                  <Button variant="outline" theme="default" onClick={() => setEditing(true)} data-testid="edit-privacy">
                    {t('byhand.edit')}
                  </Button>
                </div>
              )}
            </div>
          )
        }
      </QueryView>
    </Panel>
  );
}
