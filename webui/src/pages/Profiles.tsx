import {
  type InfiniteData,
  type UseInfiniteQueryResult,
  useInfiniteQuery,
  useQueryClient,
} from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Input } from 'tdesign-react';
import { api, call, newIdempotencyKey } from '../api/client';
import { domainProfilesQuery, privacyProfilesQuery } from '../api/planning';
import { keys } from '../api/queries';
import type { DomainProfile, Page, PrivacyProfile } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { type Column, DataList } from '../components/DataList';
import { DomainFields } from '../components/DomainFields';
import { Field } from '../components/Field';
import { PageHead, Panel } from '../components/PageHead';
import { PrivacyFields } from '../components/PrivacyFields';
import { ProblemPanel } from '../components/ProblemPanel';
import { EmptyNote } from '../components/QueryView';
import { SidePanel } from '../components/SidePanel';
import { useCan } from '../components/session';
import { Tabs } from '../components/Tabs';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { useFilter } from '../components/useFilter';
import {
  checkDomains,
  checkPrivacy,
  domainsOf,
  domainTexts,
  type FormErrors,
  noDomains,
  noPrivacy,
  privacyForm,
  privacyOf,
} from '../logic/rollout';
import { splitList } from '../logic/text';

type Kind = 'domains' | 'privacy';
type Any = Pick<DomainProfile, 'id' | 'name' | 'updated_at' | 'created_by'>;

interface FormProps {
  kind: Kind;
  /** profile is what is changed; null makes a new one. */
  profile: DomainProfile | PrivacyProfile | null;
  onDone: () => void;
}

/** useSave sends a profile of either kind. */
function useSave(kind: Kind, id: string | undefined) {
  const client = useQueryClient();
  return async (body: {
    name: string;
    domains: ReturnType<typeof domainsOf>;
    privacy: ReturnType<typeof privacyOf>;
  }) => {
    const header = { 'Idempotency-Key': newIdempotencyKey() };
    const { name, domains, privacy } = body;
    if (kind === 'domains') {
      if (id) await call(api.PATCH('/domain-profiles/{id}', { params: { path: { id } }, body: { name, domains } }));
      else await call(api.POST('/domain-profiles', { params: { header }, body: { name, domains } }));
      await client.invalidateQueries({ queryKey: keys.domainProfiles });
    } else {
      if (id) await call(api.PATCH('/privacy-profiles/{id}', { params: { path: { id } }, body: { name, privacy } }));
      else await call(api.POST('/privacy-profiles', { params: { header }, body: { name, privacy } }));
      await client.invalidateQueries({ queryKey: keys.privacyProfiles });
    }
  };
}

function ProfileForm({ kind, profile, onDone }: FormProps) {
  const { t } = useTranslation();
  const [name, setName] = useState(profile?.name ?? '');
  const [domains, setDomains] = useState(() =>
    profile && 'domains' in profile ? domainTexts(profile.domains) : noDomains,
  );
  const [privacy, setPrivacy] = useState(() =>
    profile && 'privacy' in profile ? privacyForm(profile.privacy) : noPrivacy,
  );
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const send = useSave(kind, profile?.id);
  const errors: FormErrors = kind === 'domains' ? checkDomains(domains) : checkPrivacy(privacy);
  const errorOf = (field: string) => {
    const own = errors[field];
    return own && (tried || kind === 'domains') ? t(`formErrors.${own.key}`, { detail: own.detail ?? '' }) : undefined;
  };

  async function save() {
    setTried(true);
    if (name.trim() === '' || Object.keys(errors).length > 0) return;
    setBusy(true);
    setError(null);
    try {
      await send({ name: name.trim(), domains: domainsOf(domains), privacy: privacyOf(privacy) });
      toast.success(t('common.saved'));
      onDone();
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }

  return (
    <form
      className="form"
      onSubmit={(e) => {
        e.preventDefault();
        void save();
      }}
      data-testid="profile-form"
    >
      <Field
        name="profile-name"
        label={t('profiles.name')}
        error={tried && name.trim() === '' ? t('profiles.need') : undefined}
      >
        <Input value={name} onChange={setName} maxlength={64} placeholder="" />
      </Field>
      {kind === 'domains' ? (
        <DomainFields value={domains} onChange={setDomains} errorOf={errorOf} />
      ) : (
        <PrivacyFields
          value={privacy}
          onChange={(part) => setPrivacy((old) => ({ ...old, ...part }))}
          errorOf={errorOf}
        />
      )}
      {error !== null && <ProblemPanel error={error} />}
      <div className="buttons">
        <Button type="submit" loading={busy} data-testid="save-profile">
          {t('common.save')}
        </Button>
        <Button variant="outline" theme="default" onClick={onDone}>
          {t('common.cancel')}
        </Button>
      </div>
    </form>
  );
}

interface ListProps<P extends Any> {
  kind: Kind;
  query: UseInfiniteQueryResult<InfiniteData<Page<P>>, Error>;
  words: (profile: P) => string;
}

function ProfileList<P extends Any & (DomainProfile | PrivacyProfile)>({ kind, query, words }: ListProps<P>) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  const [open, setOpen] = useState<{ profile: P | null } | null>(null);

  function remove(profile: P) {
    confirm({
      title: t('profiles.deleteConfirm', { name: profile.name }),
      hint: t('profiles.deleteHint'),
      ok: t('profiles.delete'),
      danger: true,
      run: async () => {
        const params = { path: { id: profile.id } };
        if (kind === 'domains') await call(api.DELETE('/domain-profiles/{id}', { params }));
        else await call(api.DELETE('/privacy-profiles/{id}', { params }));
        await client.invalidateQueries({ queryKey: kind === 'domains' ? keys.domainProfiles : keys.privacyProfiles });
        toast.success(t('profiles.deleted'));
      },
    });
  }

  const columns: Column<P>[] = [
    { key: 'name', title: t('profiles.name'), card: 'head', render: (p) => <b>{p.name}</b> },
    { key: 'content', title: t('profiles.content'), render: words },
    { key: 'updated', title: t('profiles.updated'), render: (p) => <Time value={p.updated_at} /> },
    { key: 'by', title: t('profiles.by'), render: (p) => p.created_by },
    {
      key: 'actions',
      title: '',
      card: 'foot',
      align: 'end',
      render: (p) =>
        may && (
          <span className="buttons">
            <Button
              size="small"
              theme="danger"
              variant="text"
              onClick={() => remove(p)}
              data-testid={`delete-profile-${p.name}`}
            >
              {t('profiles.delete')}
            </Button>
            <Button
              size="small"
              variant="outline"
              theme="default"
              onClick={() => setOpen({ profile: p })}
              data-testid={`edit-profile-${p.name}`}
            >
              {t('profiles.edit')}
            </Button>
          </span>
        ),
    },
  ];
  const made = kind === 'domains' ? t('profiles.newDomains') : t('profiles.newPrivacy');
  const changed = kind === 'domains' ? t('profiles.editDomains') : t('profiles.editPrivacy');
  return (
    <Panel
      extra={
        may && (
          <Button onClick={() => setOpen({ profile: null })} data-testid="new-profile">
            {made}
          </Button>
        )
      }
    >
      <DataList
        query={query}
        columns={columns}
        rowKey={(p) => p.id}
        testId="profile"
        label={t('profiles.title')}
        empty={<EmptyNote title={t('profiles.empty')} hint={t('profiles.emptyHint')} />}
      />
      <SidePanel
        title={open?.profile ? changed : made}
        open={open !== null}
        onClose={() => setOpen(null)}
        testId="profile-panel"
      >
        {open && (
          <ProfileForm
            key={open.profile?.id ?? 'new'}
            kind={kind}
            profile={open.profile}
            onDone={() => setOpen(null)}
          />
        )}
      </SidePanel>
    </Panel>
  );
}

function DomainProfiles() {
  const { t } = useTranslation();
  const count = (p: DomainProfile) => Object.values(domainTexts(p.domains)).flatMap(splitList).length;
  return (
    <ProfileList
      kind="domains"
      query={useInfiniteQuery(domainProfilesQuery)}
      words={(p) => t('profiles.domainCount', { n: count(p) })}
    />
  );
}

function PrivacyProfiles() {
  const { t } = useTranslation();
  const words = ({ privacy: p }: PrivacyProfile) =>
    t('profiles.keyCount', { n: p.setting_list?.length ?? 0, notice: p.owner_setting.notice_method ?? '—' });
  return <ProfileList kind="privacy" query={useInfiniteQuery(privacyProfilesQuery)} words={words} />;
}

/** Profiles are domain lists and privacy guidelines that are saved to be chosen in rollouts. */
export default function Profiles() {
  const { t } = useTranslation();
  const [filter, setFilter] = useFilter(['kind']);
  return (
    <>
      <PageHead title={t('profiles.title')} back={{ to: '/rollouts', label: t('rollouts.title') }} />
      <p className="muted lead">{t('profiles.intro')}</p>
      <Tabs
        label={t('profiles.title')}
        value={filter.kind || 'domains'}
        onChange={(kind) => setFilter('kind', kind)}
        tabs={[
          { key: 'domains', title: t('profiles.domains'), render: () => <DomainProfiles /> },
          { key: 'privacy', title: t('profiles.privacy'), render: () => <PrivacyProfiles /> },
        ]}
      />
    </>
  );
}
