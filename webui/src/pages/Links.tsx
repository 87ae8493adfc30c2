import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link as RouterLink, useNavigate, useParams, useSearchParams } from 'react-router-dom';
import { Checkbox, Input } from 'tdesign-react';
import { api, call, newIdempotencyKey } from '../api/client';
import { asProblem, fieldErrors, type Problem } from '../api/problem';
import { componentQuery, keys, linkQuery, linksQuery } from '../api/queries';
import type { Link, LinkCreate } from '../api/types';
import { Button, ButtonLink } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { useCopy } from '../components/Copy';
import { type Column, DataList } from '../components/DataList';
import { Field } from '../components/Field';
import { PageHead, Pairs } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { EmptyNote, QueryView } from '../components/QueryView';
import { SearchBox } from '../components/SearchBox';
import { Segmented } from '../components/Segmented';
import { SidePanel } from '../components/SidePanel';
import { LinkTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { useFilter } from '../components/useFilter';
import { useLabels } from '../components/useLabels';
import {
  downloads,
  type LinkKind,
  numberedKinds,
  posterAddress,
  returnTrouble,
  scopeIds,
  type TtlUnit,
  ttlSeconds,
} from '../logic/links';
import { oneOf } from '../logic/oneof';
import { knownScopes } from '../logic/scopes';

const longestBizId = 128;
const ttlDays = ['1', '7', '30'] as const;
const fields = ['biz_id', 'kind', 'appid', 'return_url', 'ttl_seconds', 'func_scopes'] as const;

function CreateForm({ onCreated }: { onCreated: (link: Link) => void }) {
  const { t, i18n } = useTranslation();
  const labels = useLabels();
  const component = useQuery(componentQuery);
  const allowlist = component.data?.return_url_allowlist ?? [];
  const [bizId, setBizId] = useState('');
  const [kind, setKind] = useState<LinkKind>('miniprogram');
  const [appid, setAppid] = useState('');
  const [returnUrl, setReturnUrl] = useState('');
  const [ttl, setTtl] = useState<(typeof ttlDays)[number] | 'own'>('7');
  const [amount, setAmount] = useState('');
  const [unit, setUnit] = useState<TtlUnit>('hours');
  const [singleUse, setSingleUse] = useState(true);
  const [scopes, setScopes] = useState<number[]>([]);
  const [otherScopes, setOtherScopes] = useState('');
  const [more, setMore] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  // The same key for every try of the same form: a lost answer does not make a second link.
  const [key, setKey] = useState(newIdempotencyKey);
  const days = new Intl.NumberFormat(i18n.language, { style: 'unit', unit: 'day', unitDisplay: 'long' });
  const tooLong = [...bizId.trim()].length > longestBizId;
  const byField = problem ? fieldErrors(problem, fields) : {};
  const numbered = oneOf(kind, numberedKinds) !== undefined;
  const seconds = ttl === 'own' ? ttlSeconds(amount, unit) : ttlSeconds(ttl, 'days');
  const trouble = returnUrl.trim() === '' || !component.data ? null : returnTrouble(returnUrl, allowlist);
  const others = scopeIds(otherScopes);
  const ready = bizId.trim() !== '' && !tooLong && seconds !== null && trouble === null && others !== null;

  function choose(next: LinkKind) {
    setKind(next);
    setScopes([]);
  }

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (busy || !ready) return;
    setBusy(true);
    setProblem(null);
    const body: LinkCreate = {
      biz_id: bizId.trim(),
      kind,
      ttl_seconds: seconds,
      single_use: singleUse,
    };
    if (appid.trim() !== '') body.appid = appid.trim();
    if (returnUrl.trim() !== '') body.return_url = returnUrl.trim();
    const wanted = [...new Set([...scopes, ...others])];
    if (wanted.length > 0) body.func_scopes = wanted;
    try {
      onCreated(await call(api.POST('/authorization-links', { body, params: { header: { 'Idempotency-Key': key } } })));
    } catch (thrown) {
      const p = asProblem(thrown);
      setProblem(p);
      if (p.status !== 0) setKey(newIdempotencyKey());
    } finally {
      setBusy(false);
    }
  }

  return (
    <form className="form" onSubmit={(e) => void submit(e)} data-testid="link-form">
      <Field
        name="biz-id"
        label={t('links.bizId')}
        hint={t('links.bizIdHint')}
        error={tooLong ? t('links.bizIdTooLong') : byField.biz_id}
      >
        <Input value={bizId} onChange={setBizId} placeholder="" autofocus />
      </Field>
      <Field name="kind" group label={t('links.kind')} error={byField.kind}>
        <Segmented
          name="link-kind"
          label={t('links.kind')}
          value={numbered ? 'other' : kind}
          onChange={(v) => choose(v === 'other' ? '5' : v)}
          options={[
            { value: 'miniprogram', label: t('links.kindMini') },
            { value: 'official', label: t('links.kindOfficial') },
            { value: 'any', label: t('links.kindAny') },
            { value: 'other', label: t('links.kindOther') },
          ]}
        />
        {numbered && (
          <>
            <Segmented
              name="link-kind-number"
              label={t('links.kindOther')}
              value={kind}
              onChange={choose}
              options={numberedKinds.map((value) => ({ value, label: labels.kind(value) }))}
            />
            <span className="field__hint">{t('links.kindOtherHint')}</span>
          </>
        )}
      </Field>
      <Field
        name="ttl"
        group
        label={t('links.ttl')}
        error={ttl === 'own' && amount !== '' && seconds === null ? t('links.ttlWrong') : byField.ttl_seconds}
      >
        <Segmented
          name="ttl"
          label={t('links.ttl')}
          value={ttl}
          onChange={setTtl}
          options={[
            ...ttlDays.map((n) => ({ value: n, label: days.format(Number(n)) })),
            { value: 'own' as const, label: t('links.ttlOwn') },
          ]}
        />
        {ttl === 'own' && (
          <span className="inline inline--short">
            <input
              className="input"
              inputMode="numeric"
              aria-label={t('links.ttlAmount')}
              value={amount}
              onChange={(e) => setAmount(e.target.value)}
              data-testid="ttl-amount"
            />
            <Segmented
              name="ttl-unit"
              label={t('links.ttlUnit')}
              value={unit}
              onChange={setUnit}
              options={[
                { value: 'hours', label: t('links.ttlHours') },
                { value: 'days', label: t('links.ttlDays') },
              ]}
            />
          </span>
        )}
      </Field>
      <Checkbox checked={singleUse} onChange={setSingleUse}>
        {t('links.singleUse')} <span className="faint">{t('links.singleUseHint')}</span>
      </Checkbox>
      <button type="button" className="disclosure" aria-expanded={more} onClick={() => setMore(!more)}>
        {t('links.more')}
      </button>
      {more && (
        <>
          <Field name="appid" label={t('links.appid')} hint={t('links.appidHint')} error={byField.appid}>
            <Input value={appid} onChange={setAppid} placeholder="wx…" />
          </Field>
          <Field
            name="return-url"
            label={t('links.returnUrl')}
            hint={
              allowlist.length > 0 ? (
                <>
                  {t('links.returnUrlHint')}
                  {allowlist.map((origin) => (
                    <code key={origin}> {origin}</code>
                  ))}
                </>
              ) : (
                <>
                  {t('links.returnUrlNone')} <RouterLink to="/platform">{t('links.returnUrlSettings')}</RouterLink>
                </>
              )
            }
            error={trouble ? t(`links.returnTrouble.${trouble}`) : byField.return_url}
          >
            <Input value={returnUrl} onChange={setReturnUrl} placeholder="https://" />
          </Field>
          <Field
            name="scopes"
            group
            label={t('links.scopes')}
            hint={t('links.scopesHint')}
            error={byField.func_scopes}
            aside={scopes.length > 0 ? scopes.length : undefined}
          >
            <div className="scopes">
              {knownScopes(kind).map((id) => (
                <Checkbox
                  key={id}
                  checked={scopes.includes(id)}
                  onChange={(on) => setScopes(on ? [...scopes, id] : scopes.filter((s) => s !== id))}
                >
                  {labels.scope(id)}
                </Checkbox>
              ))}
            </div>
          </Field>
          <Field
            name="other-scopes"
            label={t('links.scopesOther')}
            hint={t('links.scopesOtherHint')}
            error={others === null ? t('links.scopesOtherWrong') : undefined}
          >
            <Input value={otherScopes} onChange={setOtherScopes} placeholder="" />
          </Field>
        </>
      )}
      {problem && (problem.errors.length === 0 || byField['']) && <ProblemPanel error={problem} />}
      <div>
        <Button type="submit" loading={busy} disabled={!ready} data-testid="create-link">
          {t('links.create')}
        </Button>
      </div>
    </form>
  );
}

/** usable says that a merchant may still open the link. */
function usable(link: Link): boolean {
  return (
    link.status === 'pending' ||
    link.status === 'opened' ||
    link.status === 'failed' ||
    (link.status === 'authorized' && link.single_use === false && new Date(link.expires_at).getTime() > Date.now())
  );
}

function LinkView({ link }: { link: Link }) {
  const { t, i18n } = useTranslation();
  const labels = useLabels();
  const client = useQueryClient();
  const confirm = useConfirm();
  const copy = useCopy();
  const may = useCan('operator');
  const open = usable(link);
  const files = downloads(link.qr_url);
  const others = link.other_biz_ids ?? [];
  return (
    <div className="linkview">
      <div className="linkview__status" role="status">
        <LinkTag status={link.status} />
        <span className="muted">
          {link.status === 'pending' && t('links.waiting')}
          {link.status === 'opened' && t('links.opened')}
          {link.status === 'authorized' && t('links.authorized')}
          {link.status === 'failed' && t('links.failed')}
          {link.status === 'expired' && t('links.expired')}
          {link.status === 'revoked' && t('links.revokedState')}
        </span>
      </div>
      {link.error && (
        <div className="problem" role="alert">
          <div className="problem__text">{link.error}</div>
        </div>
      )}
      {link.authorizer_appid && (
        <RouterLink className="notice" to={`/authorizers/${link.authorizer_appid}`} data-testid="link-merchant">
          <i className="dot tone--good" aria-hidden="true" />
          <span>
            <b>{t('links.viewMerchant')}</b>
            <small>
              <code>{link.authorizer_appid}</code>
            </small>
          </span>
        </RouterLink>
      )}
      {others.length > 0 && (
        <div className="banner" role="status" data-testid="other-biz-ids">
          <b>{t('links.otherBizIds')}</b>{' '}
          <span className="pills">
            {others.map((id) => (
              <code key={id} className="pill">
                {id}
              </code>
            ))}
          </span>
          <p>{t('links.otherBizIdsHint')}</p>
        </div>
      )}
      {open && (
        <div className="qr">
          <img src={link.qr_url} alt={t('links.qrAlt')} data-testid="link-qr" />
          <b>{t('links.scanTitle')}</b>
          <p className="muted">{t('links.scanHint')}</p>
          <code className="qr__url" data-testid="link-url">
            {link.url}
          </code>
          <div className="buttons">
            <Button onClick={() => void copy(link.url)} data-testid="copy-link">
              {t('links.copyLink')}
            </Button>
            <ButtonLink outside to={link.url} variant="outline" testId="open-link">
              {t('links.openLink')}
            </ButtonLink>
            <ButtonLink
              outside
              to={posterAddress(link.poster_url, i18n.language)}
              variant="outline"
              testId="open-poster"
            >
              {t('links.poster')}
            </ButtonLink>
          </div>
          <div className="qr__files">
            <a href={files.png} data-testid="download-png">
              {t('links.png')}
            </a>
            <a href={files.svg} data-testid="download-svg">
              {t('links.svg')}
            </a>
          </div>
        </div>
      )}
      <Pairs
        items={[
          [t('links.bizId'), <code key="biz">{link.biz_id}</code>],
          [t('links.kind'), labels.kind(link.kind)],
          [t('links.appid'), link.appid && <code>{link.appid}</code>],
          [t('links.singleUse'), link.single_use === false ? t('common.no') : t('common.yes')],
          [t('common.expiresAt'), <Time key="until" value={link.expires_at} exact="both" />],
          [t('links.openedAt'), link.opened_at && <Time value={link.opened_at} exact="both" />],
          [t('links.authorizedAt'), link.authorized_at && <Time value={link.authorized_at} exact="both" />],
          [t('links.returnUrl'), link.return_url],
          [t('links.scopes'), (link.func_scopes ?? []).map(labels.scope).join('、') || t('links.scopesAll')],
          [t('links.createdBy'), link.created_by],
          [t('common.createdAt'), <Time key="at" value={link.created_at} exact="both" />],
        ]}
      />
      {open && may && (
        <div>
          <Button
            theme="danger"
            variant="outline"
            data-testid="revoke-link"
            onClick={() =>
              confirm({
                title: t('links.revokeConfirm'),
                hint: t('links.revokeHint'),
                ok: t('links.revoke'),
                danger: true,
                run: async () => {
                  await call(api.DELETE('/authorization-links/{id}', { params: { path: { id: link.id } } }));
                  await client.invalidateQueries({ queryKey: keys.links });
                  toast.success(t('links.revoked'));
                },
              })
            }
          >
            {t('links.revoke')}
          </Button>
        </div>
      )}
    </div>
  );
}

function OneLink({ id }: { id: string }) {
  const query = useQuery(linkQuery(id));
  return <QueryView query={query}>{(link) => <LinkView link={link} />}</QueryView>;
}

export default function Links() {
  const { t } = useTranslation();
  const labels = useLabels();
  const navigate = useNavigate();
  const client = useQueryClient();
  const may = useCan('operator');
  const { id } = useParams();
  const [params, setParams] = useSearchParams();
  const [filter, setFilter] = useFilter(['status', 'biz_id']);
  const list = useInfiniteQuery(linksQuery({ ...filter, limit: 50 }));
  const creating = params.get('new') === '1' && may;
  const search = useCallback((v: string) => setFilter('biz_id', v), [setFilter]);

  function created(link: Link) {
    client.setQueryData(keys.link(link.id), link);
    void client.invalidateQueries({ queryKey: [...keys.links, 'list'] });
    void navigate(`/links/${link.id}`, { replace: true });
  }

  const columns: Column<Link>[] = [
    {
      key: 'biz',
      title: t('links.bizId'),
      card: 'head',
      render: (l) => (
        <RouterLink to={`/links/${l.id}${window.location.search}`}>
          <b>{l.biz_id}</b>
        </RouterLink>
      ),
    },
    { key: 'status', title: t('links.status'), card: 'corner', render: (l) => <LinkTag status={l.status} /> },
    { key: 'kind', title: t('links.kind'), render: (l) => labels.kind(l.kind) },
    {
      key: 'merchant',
      title: t('links.merchant'),
      render: (l) =>
        l.authorizer_appid ? (
          <RouterLink to={`/authorizers/${l.authorizer_appid}`}>
            <code>{l.authorizer_appid}</code>
            {(l.other_biz_ids ?? []).length > 0 && (
              <i className="dot tone--action dot--after" title={t('links.otherBizIds')} />
            )}
          </RouterLink>
        ) : (
          <span className="none">—</span>
        ),
    },
    { key: 'until', title: t('common.expiresAt'), render: (l) => <Time value={l.expires_at} /> },
    { key: 'at', title: t('common.createdAt'), render: (l) => <Time value={l.created_at} /> },
  ];

  return (
    <>
      <PageHead title={t('links.title')}>
        {may && (
          <Button onClick={() => setParams({ new: '1' })} data-testid="new-link">
            {t('links.create')}
          </Button>
        )}
      </PageHead>
      <div className="toolbar">
        <SearchBox value={filter.biz_id} onSearch={search} placeholder={t('links.bizId')} />
        <Segmented
          name="status"
          label={t('links.status')}
          value={filter.status}
          onChange={(v) => setFilter('status', v)}
          options={[
            { value: '', label: t('common.all') },
            { value: 'pending', label: t('linkStatus.pending') },
            { value: 'opened', label: t('linkStatus.opened') },
            { value: 'authorized', label: t('linkStatus.authorized') },
            { value: 'failed', label: t('linkStatus.failed') },
            { value: 'expired', label: t('linkStatus.expired') },
            { value: 'revoked', label: t('linkStatus.revoked') },
          ]}
        />
      </div>
      <div className="panel panel--flush">
        <DataList
          query={list}
          columns={columns}
          rowKey={(l) => l.id}
          testId="link"
          label={t('links.title')}
          empty={
            filter.status || filter.biz_id ? (
              <EmptyNote title={t('common.noMatches')} />
            ) : (
              <EmptyNote title={t('links.empty')} hint={t('links.emptyHint')} />
            )
          }
        />
      </div>
      <SidePanel
        testId="link-create"
        title={t('links.create')}
        open={creating}
        onClose={() => setParams({}, { replace: true })}
      >
        <CreateForm onCreated={created} />
      </SidePanel>
      <SidePanel
        testId="link-detail"
        title={t('links.title')}
        open={Boolean(id)}
        onClose={() => void navigate(`/links${window.location.search}`, { replace: true })}
      >
        {id && <OneLink key={id} id={id} />}
      </SidePanel>
    </>
  );
}
