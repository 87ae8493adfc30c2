import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useParams } from 'react-router-dom';
import { api, call } from '../api/client';
import { authorizerQuery, keys, submissionsQuery, versionsQuery } from '../api/queries';
import type { AuthorizerDetail, Versions } from '../api/types';
import { Button, ButtonLink } from '../components/Button';
import { DataList } from '../components/DataList';
import { Face } from '../components/Face';
import { Field } from '../components/Field';
import { PageHead, Pairs, Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { EmptyNote, Loading, QueryView } from '../components/QueryView';
import { AuthorizerTag, SubmissionTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { TagsField } from '../components/TagsField';
import { TextArea } from '../components/TextArea';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { useLabels } from '../components/useLabels';
import { networkLists, versionFacts } from '../logic/authorizer';
import { domainKinds } from '../logic/rollout';

function OwnData({ merchant }: { merchant: AuthorizerDetail }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const may = useCan('operator');
  const stored = JSON.stringify(merchant.ext ?? {}, null, 2);
  const [bizIds, setBizIds] = useState(merchant.biz_ids ?? []);
  const [labels, setLabels] = useState(merchant.labels ?? []);
  const [ext, setExt] = useState(stored);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  let parsed: Record<string, unknown> | null = null;
  let wrong = '';
  try {
    const value: unknown = JSON.parse(ext.trim() === '' ? '{}' : ext);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) parsed = value as Record<string, unknown>;
    else wrong = t('formErrors.jsonObject');
  } catch (thrown) {
    wrong = t('authorizers.extInvalid', { detail: thrown instanceof Error ? thrown.message : '' });
  }
  const changed =
    ext !== stored ||
    JSON.stringify(bizIds) !== JSON.stringify(merchant.biz_ids ?? []) ||
    JSON.stringify(labels) !== JSON.stringify(merchant.labels ?? []);

  async function save(event: FormEvent) {
    event.preventDefault();
    if (!parsed) return;
    setBusy(true);
    setError(null);
    try {
      const answer = await call(
        api.PATCH('/authorizers/{appid}', {
          params: { path: { appid: merchant.appid } },
          body: { biz_ids: bizIds, labels, ext: parsed },
        }),
      );
      setExt(JSON.stringify(answer?.ext ?? parsed, null, 2));
      await client.invalidateQueries({ queryKey: keys.authorizers });
      toast.success(t('common.saved'));
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }

  return (
    <Panel title={t('authorizers.own')} hint={t('authorizers.ownHint')}>
      <form className="form" onSubmit={(e) => void save(e)}>
        <fieldset className="form bare" disabled={!may}>
          <Field name="biz-ids" group label={t('authorizers.bizIds')}>
            <TagsField
              label={t('authorizers.bizIds')}
              value={bizIds}
              onChange={setBizIds}
              placeholder={t('authorizers.tagPlaceholder')}
            />
          </Field>
          <Field name="labels" group label={t('authorizers.labels')}>
            <TagsField
              label={t('authorizers.labels')}
              value={labels}
              onChange={setLabels}
              placeholder={t('authorizers.tagPlaceholder')}
            />
          </Field>
          <Field name="ext" label={t('authorizers.ext')} hint={t('authorizers.extHint')} error={wrong}>
            <TextArea code rows={7} value={ext} onChange={setExt} />
          </Field>
          {error !== null && <ProblemPanel error={error} />}
          {may && (
            <div>
              <Button type="submit" loading={busy} disabled={!changed || wrong !== ''} data-testid="save-own">
                {t('common.save')}
              </Button>
            </div>
          )}
        </fieldset>
      </form>
    </Panel>
  );
}

function VersionCard({ title, version }: { title: string; version: Record<string, unknown> | null | undefined }) {
  const { t } = useTranslation();
  const facts = versionFacts(version);
  return (
    <div className="version">
      <span className="version__slot">{title}</span>
      {facts ? (
        <>
          <b>{facts.version || '—'}</b>
          <span className="muted">{facts.desc}</span>
          {facts.time && (
            <span className="faint">
              <Time value={facts.time} />
            </span>
          )}
        </>
      ) : (
        <span className="faint">{t('authorizers.versionNone')}</span>
      )}
    </div>
  );
}

function VersionsPanel({ appid }: { appid: string }) {
  const { t } = useTranslation();
  const query = useQuery(versionsQuery(appid));
  // An older server does not know this call; then there is simply nothing to show.
  if (query.error && 'status' in query.error && query.error.status === 404) return null;
  return (
    <Panel title={t('authorizers.versions')} testId="versions">
      {query.isError ? (
        <ProblemPanel error={query.error} onRetry={() => void query.refetch()} />
      ) : (
        <QueryView query={query} rows={2}>
          {(v: Versions) => (
            <div className="versions">
              <VersionCard title={t('authorizers.versionExperience')} version={v.experience} />
              <VersionCard title={t('authorizers.versionAudit')} version={v.audit} />
              <VersionCard title={t('authorizers.versionLive')} version={v.live} />
            </div>
          )}
        </QueryView>
      )}
    </Panel>
  );
}

function SubmissionsPanel({ appid }: { appid: string }) {
  const { t } = useTranslation();
  const list = useInfiniteQuery(submissionsQuery({ appid, limit: 20 }));
  return (
    <Panel title={t('authorizers.submissions')}>
      <DataList
        query={list}
        testId="submission"
        label={t('authorizers.submissions')}
        rowKey={(s) => s.id}
        columns={[
          {
            key: 'version',
            title: t('rollouts.version'),
            card: 'head',
            render: (s) => (
              <Link to={`/rollouts/${s.rollout_id}/${s.id}`}>
                <code>{s.user_version}</code>
              </Link>
            ),
          },
          { key: 'state', title: t('common.state'), card: 'corner', render: (s) => <SubmissionTag state={s.state} /> },
          { key: 'template', title: t('templates.id'), render: (s) => s.template_id },
          { key: 'at', title: t('common.updatedAt'), render: (s) => <Time value={s.updated_at ?? s.created_at} /> },
        ]}
        empty={<EmptyNote title={t('authorizers.submissionsEmpty')} />}
      />
    </Panel>
  );
}

function Basics({ merchant }: { merchant: AuthorizerDetail }) {
  const { t } = useTranslation();
  const labels = useLabels();
  const network = networkLists(merchant.network);
  const networkName = (name: string) => {
    const kind = domainKinds.find((k) => k === name);
    return kind ? t(`newRollout.domain.${kind}`) : name;
  };
  const categories = (merchant.categories ?? []).map((c) =>
    [c.first, c.second].filter((part) => part !== '').join(' / '),
  );
  return (
    <>
      <Panel title={t('authorizers.basic')}>
        <Pairs
          items={[
            ['AppID', <code key="appid">{merchant.appid}</code>],
            [t('authorizers.userName'), merchant.user_name && <code>{merchant.user_name}</code>],
            [t('authorizers.kind'), labels.kind(merchant.kind)],
            [t('authorizers.principal'), merchant.principal_name],
            [t('authorizers.alias'), merchant.alias],
            [t('authorizers.verify'), labels.verify(merchant.verify_type)],
            [t('authorizers.register'), labels.register(merchant.register_type)],
            [t('authorizers.account'), labels.account(merchant.account_status)],
            [t('authorizers.authorizedAt'), <Time key="at" value={merchant.authorized_at} exact="both" />],
            [t('common.updatedAt'), <Time key="updated" value={merchant.updated_at} exact="both" />],
            [
              t('authorizers.tokenExpires'),
              merchant.token?.expires_at ? (
                <span>
                  {t('common.expiresAt')} <Time value={merchant.token.expires_at} />
                </span>
              ) : (
                t('authorizers.tokenNone')
              ),
            ],
            [t('authorizers.signature'), merchant.signature],
            [t('authorizers.categories'), categories.join('、')],
          ]}
        />
      </Panel>
      <Panel title={t('authorizers.scopes')}>
        {(merchant.func_scopes ?? []).length === 0 ? (
          <p className="faint">{t('authorizers.scopeNone')}</p>
        ) : (
          <span className="pills">
            {(merchant.func_scopes ?? []).map((id) => (
              <span key={id} className="pill" title={String(id)}>
                {labels.scope(id)}
              </span>
            ))}
          </span>
        )}
      </Panel>
      {merchant.kind === 'miniprogram' && (
        <Panel title={t('authorizers.network')}>
          {network.length === 0 ? (
            <p className="faint">{t('authorizers.networkNone')}</p>
          ) : (
            <Pairs
              items={network.map(([name, domains]) => [
                networkName(name),
                <code key={name}>{domains.join('\n')}</code>,
              ])}
            />
          )}
        </Panel>
      )}
    </>
  );
}

export default function AuthorizerPage() {
  const { t } = useTranslation();
  const { appid = '' } = useParams();
  const client = useQueryClient();
  const may = useCan('operator');
  const query = useQuery(authorizerQuery(appid));
  const [busy, setBusy] = useState(false);

  async function refresh() {
    setBusy(true);
    try {
      await call(api.POST('/authorizers/{appid}/refresh', { params: { path: { appid } } }));
      await client.invalidateQueries({ queryKey: keys.authorizers });
      toast.success(t('authorizers.refreshed'));
    } catch (thrown) {
      toast.problem(thrown, t('problem.generic'));
    } finally {
      setBusy(false);
    }
  }

  const merchant = query.data;
  const open = merchant?.status === 'authorized';
  return (
    <>
      <PageHead
        title={merchant?.nick_name || appid}
        back={{ to: '/authorizers', label: t('authorizers.title') }}
        aside={
          merchant && (
            <>
              <Face large src={merchant.head_img} name={merchant.nick_name} />
              <AuthorizerTag status={merchant.status} stale={merchant.needs_reauthorization} />
            </>
          )
        }
      >
        {may && (
          <Button
            variant="outline"
            theme="default"
            loading={busy}
            disabled={!open}
            onClick={() => void refresh()}
            data-testid="refresh"
          >
            {t('authorizers.refresh')}
          </Button>
        )}
        {may && open && merchant?.kind === 'miniprogram' && (
          <ButtonLink to={`/rollouts/new?appid=${encodeURIComponent(appid)}`} testId="publish">
            {t('authorizers.publish')}
          </ButtonLink>
        )}
      </PageHead>
      {query.isPending && <Loading rows={8} />}
      {query.isError && !merchant && <ProblemPanel error={query.error} onRetry={() => void query.refetch()} />}
      {merchant && (
        <>
          {!open && <div className="banner">{t('authorizers.withdrawnHint')}</div>}
          {open && merchant.needs_reauthorization && (
            <div className="banner" data-testid="needs-reauthorization">
              {t('authorizers.reauthorizeHint')}
            </div>
          )}
          {merchant.info_error && (
            <div className="banner">
              <b>{t('authorizers.infoError')}</b> {merchant.info_error}
            </div>
          )}
          <div className="columns">
            <div className="stack">
              <Basics merchant={merchant} />
            </div>
            <div className="stack">
              <OwnData key={merchant.appid} merchant={merchant} />
              {open && merchant.kind === 'miniprogram' && <VersionsPanel appid={appid} />}
              {merchant.kind === 'miniprogram' && <SubmissionsPanel appid={appid} />}
            </div>
          </div>
        </>
      )}
    </>
  );
}
