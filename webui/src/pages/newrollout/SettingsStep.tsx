import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Checkbox } from 'tdesign-react';
import { api, call, newIdempotencyKey } from '../../api/client';
import { domainProfilesQuery, privacyProfilesQuery } from '../../api/planning';
import { keys } from '../../api/queries';
import { itemsOf } from '../../components/DataList';
import { DomainFields } from '../../components/DomainFields';
import { Panel } from '../../components/PageHead';
import { PrivacyFields } from '../../components/PrivacyFields';
import { checkDomains, checkPrivacy, domainsOf, domainTexts, privacyForm, privacyOf } from '../../logic/rollout';
import { ProfileBar } from './ProfileBar';
import type { PartProps } from './parts';

const none = (errors: object) => Object.keys(errors).length === 0;
const header = () => ({ 'Idempotency-Key': newIdempotencyKey() });

function Domains({ form, change, errorOf }: PartProps) {
  const client = useQueryClient();
  const profiles = useInfiniteQuery(domainProfilesQuery);
  const rows = itemsOf(profiles);
  const good = none(checkDomains(form.domains)) && Object.values(form.domains).some((text) => text.trim() !== '');
  return (
    <div className="indent form">
      <ProfileBar
        name="domains"
        profiles={rows}
        error={profiles.error}
        onUse={(id) => {
          const found = rows.find((p) => p.id === id);
          if (found) change({ domains: domainTexts(found.domains) });
        }}
        onSave={
          good
            ? async (name) => {
                const body = { name, domains: domainsOf(form.domains) };
                await call(api.POST('/domain-profiles', { params: { header: header() }, body }));
                await client.invalidateQueries({ queryKey: keys.domainProfiles });
              }
            : undefined
        }
      />
      <DomainFields
        value={form.domains}
        onChange={(domains) => change({ domains })}
        errorOf={(kind) => errorOf(`domains.${kind}`)}
      />
    </div>
  );
}

function Privacy({ form, change, errorOf }: PartProps) {
  const client = useQueryClient();
  const profiles = useInfiniteQuery(privacyProfilesQuery);
  const rows = itemsOf(profiles);
  const good = none(checkPrivacy(form));
  return (
    <div className="indent form">
      <ProfileBar
        name="privacy"
        profiles={rows}
        error={profiles.error}
        onUse={(id) => {
          const found = rows.find((p) => p.id === id);
          if (found) change(privacyForm(found.privacy));
        }}
        onSave={
          good
            ? async (name) => {
                const body = { name, privacy: privacyOf(form) };
                await call(api.POST('/privacy-profiles', { params: { header: header() }, body }));
                await client.invalidateQueries({ queryKey: keys.privacyProfiles });
              }
            : undefined
        }
      />
      <PrivacyFields value={form} onChange={change} errorOf={(field) => errorOf(`privacy.${field}`)} />
    </div>
  );
}

/** SettingsStep sets domains and the privacy guideline of the merchants, or leaves them alone. */
export function SettingsStep(props: PartProps) {
  const { form, change } = props;
  const { t } = useTranslation();
  return (
    <Panel title={t('newRollout.settings')} hint={t('wizard.settingsNone')} testId="part-settings">
      <div className="form">
        <div data-testid="set-domains">
          <Checkbox checked={form.setDomains} onChange={(setDomains) => change({ setDomains })}>
            {t('newRollout.setDomains')}
          </Checkbox>
        </div>
        {form.setDomains && <Domains {...props} />}
        <div data-testid="set-privacy">
          <Checkbox checked={form.setPrivacy} onChange={(setPrivacy) => change({ setPrivacy })}>
            {t('newRollout.setPrivacy')}
          </Checkbox>
        </div>
        {form.setPrivacy && <Privacy {...props} />}
      </div>
    </Panel>
  );
}
