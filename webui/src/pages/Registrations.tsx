import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate, useParams, useSearchParams } from 'react-router-dom';
import { Input } from 'tdesign-react';
import { api, call, newIdempotencyKey } from '../api/client';
import { registrationQuery, registrationsQuery } from '../api/operations';
import { asProblem, fieldErrors, type Problem } from '../api/problem';
import { authorizerQuery, authorizersQuery, keys } from '../api/queries';
import type { Registration } from '../api/types';
import { Button, ButtonLink } from '../components/Button';
import { Combo } from '../components/Combo';
import { useConfirm } from '../components/Confirm';
import { useCopy } from '../components/Copy';
import { Countdown } from '../components/Countdown';
import { type Column, DataList, itemsOf } from '../components/DataList';
import { Field } from '../components/Field';
import { PageHead, Pairs } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { EmptyNote, QueryView } from '../components/QueryView';
import { Refusal } from '../components/Refusal';
import { SearchBox } from '../components/SearchBox';
import { Segmented } from '../components/Segmented';
import { SidePanel } from '../components/SidePanel';
import { useCan } from '../components/session';
import { TagsField } from '../components/TagsField';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { useFilter } from '../components/useFilter';
import { oneOf } from '../logic/oneof';
import {
  detailOf,
  fieldsOf,
  fieldTrouble,
  isOptional,
  isVisited,
  ownerOf,
  type RegistrationAction,
  type RegistrationField,
  type RegistrationKind,
  registrationActions,
  registrationFields,
  registrationStates,
  requestOf,
  type Values,
  wizardKinds,
} from '../logic/registrations';
import { RegistrationTag } from './RegistrationTag';

interface ChoiceProps {
  kind?: 'miniprogram' | 'official';
  value: string;
  onPick: (appid: string) => void;
  label: string;
}

const appidShape = /^wx[0-9a-zA-Z]{6,}$/;

/** MerchantChoice names one of the authorized mini programs, or of the official accounts. */
function MerchantChoice({ kind = 'miniprogram', value, onPick, label }: ChoiceProps) {
  const { t } = useTranslation();
  const [q, setQ] = useState('');
  const list = useInfiniteQuery({
    ...authorizersQuery({ status: 'authorized', kind, q, limit: 20 }),
    placeholderData: (old) => old,
  });
  const chosen = useQuery({ ...authorizerQuery(value), enabled: value !== '' });
  return (
    <Combo
      name="mini-program"
      value={value}
      text={value === '' ? '' : chosen.data?.nick_name || value}
      options={itemsOf(list).map((a) => ({ value: a.appid, title: a.nick_name || a.appid }))}
      onPick={onPick}
      onType={setQ}
      free={(typed) => (appidShape.test(typed) ? typed : undefined)}
      label={label}
      placeholder={t('authorizers.searchPlaceholder')}
    />
  );
}

interface CreateProps {
  /** What the form begins with. */
  first: { kind?: RegistrationKind; appid: string };
  onCreated: (made: Registration) => void;
}

function CreateForm({ first, onCreated }: CreateProps) {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const [kind, setKind] = useState<RegistrationKind>(first.kind ?? 'enterprise');
  const [values, setValues] = useState<Values>(first.appid ? { appid: first.appid } : {});
  const [labels, setLabels] = useState<string[]>([]);
  const [tried, setTried] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  // The same key for every try of the same form: a lost answer does not make a second registration.
  const [key, setKey] = useState(newIdempotencyKey);
  const fields = fieldsOf(kind);
  const byField = problem ? fieldErrors(problem, registrationFields) : {};
  const set = (field: RegistrationField, value: string) => setValues((old) => ({ ...old, [field]: value }));
  const trial = (field: RegistrationField) => field === 'name' && kind === 'trial';
  const official = (field: RegistrationField) => field === 'appid' && kind === 'official_account';
  function labelOf(field: RegistrationField): string {
    if (official(field)) return t('registrations.request.appid');
    return trial(field) ? t('registrations.trialName') : t(`registrations.field.${field}`);
  }
  function hintOf(field: RegistrationField): string {
    if (official(field)) return t('registrations.officialHint');
    return trial(field) ? t('registrations.trialNameHint') : t(`registrations.fieldHint.${field}`);
  }

  function errorOf(field: RegistrationField): string | undefined {
    const wrong = fieldTrouble(kind, field, values);
    // What is merely not there yet is told when it is to be sent.
    if (wrong && (tried || (wrong !== 'missing' && values[field]))) return t(`registrations.trouble.${wrong}`);
    return byField[field];
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (fields.some((field) => fieldTrouble(kind, field, values))) return;
    const wanted = requestOf(kind, values);
    confirm({
      title: t('registrations.startConfirm', {
        name: wanted.name || wanted.idname || wanted.openid || wanted.appid || '',
      }),
      hint: t(isVisited(kind) ? 'registrations.startVisitHint' : 'registrations.startConfirmHint'),
      ok: t('registrations.start'),
      run: async () => {
        setProblem(null);
        try {
          const made = await call(
            api.POST('/registrations', {
              body: { kind, ...wanted, ...(labels.length > 0 && { labels }) },
              params: { header: { 'Idempotency-Key': key } },
            }),
          );
          onCreated(made);
        } catch (thrown) {
          const p = asProblem(thrown);
          if (p.status !== 0) setKey(newIdempotencyKey());
          if (p.errors.length === 0) throw thrown;
          setProblem(p); // it is said at the fields
        }
      },
    });
  }

  return (
    <form className="form" onSubmit={submit} data-testid="registration-form" noValidate>
      <Field name="registration-kind" group label={t('registrations.kind')} hint={t(`registrations.kindHint.${kind}`)}>
        <Segmented
          name="registration-kind"
          label={t('registrations.kind')}
          value={kind}
          onChange={(v) => {
            setKind(v);
            setTried(false);
            setProblem(null);
            set('appid', ''); // of an account of another kind
          }}
          options={wizardKinds.map((value) => ({ value, label: t(`registrations.kinds.${value}`) }))}
        />
      </Field>
      {fields.map((field) => (
        <Field
          key={field}
          name={`registration-${field}`}
          group={field === 'appid'}
          label={labelOf(field)}
          hint={hintOf(field)}
          error={errorOf(field)}
          aside={isOptional(kind, field) ? <span className="faint">{t('registrations.optional')}</span> : undefined}
        >
          {field === 'appid' ? (
            <MerchantChoice
              kind={kind === 'official_account' ? 'official' : 'miniprogram'}
              value={values.appid ?? ''}
              onPick={(v) => set('appid', v)}
              label={labelOf(field)}
            />
          ) : (
            <Input value={values[field] ?? ''} onChange={(v) => set(field, v)} placeholder="" autocomplete="off" />
          )}
        </Field>
      ))}
      <Field name="registration-labels" group label={t('registrations.labels')} hint={t('registrations.labelsHint')}>
        <TagsField
          label={t('registrations.labels')}
          value={labels}
          onChange={setLabels}
          placeholder={t('authorizers.tagPlaceholder')}
        />
      </Field>
      {problem && byField[''] && <ProblemPanel error={problem} />}
      <div>
        <Button type="submit" data-testid="create-registration">
          {t('registrations.start')}
        </Button>
      </div>
    </form>
  );
}

function AssignForm({ registration, onDone }: { registration: Registration; onDone: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [appid, setAppid] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (busy || appid === '') return;
    setBusy(true);
    setError(null);
    try {
      await call(
        api.POST('/registrations/{id}/assign', { params: { path: { id: registration.id } }, body: { appid } }),
      );
      await client.invalidateQueries({ queryKey: keys.registrations });
      toast.success(t('registrations.assigned'));
      onDone();
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }

  return (
    <form className="form assign" onSubmit={(e) => void submit(e)} data-testid="assign-form">
      <Field name="assign" group label={t('registrations.assignTitle')} hint={t('registrations.assignHint')}>
        <MerchantChoice value={appid} onPick={setAppid} label={t('registrations.assignTitle')} />
      </Field>
      {error !== null && <ProblemPanel compact error={error} />}
      <div className="buttons">
        <Button type="submit" loading={busy} disabled={appid === ''} data-testid="assign-ok">
          {t('registrations.actions.assign')}
        </Button>
        <Button variant="outline" theme="default" onClick={onDone}>
          {t('common.cancel')}
        </Button>
      </div>
    </form>
  );
}

function Actions({ registration }: { registration: Registration }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const [busy, setBusy] = useState(false);
  const [assigning, setAssigning] = useState(false);
  const params = { path: { id: registration.id } };
  const reload = () => client.invalidateQueries({ queryKey: keys.registrations });

  async function check() {
    setBusy(true);
    try {
      await call(api.POST('/registrations/{id}/check', { params }));
      await reload();
      toast.success(t('registrations.checked'));
    } catch (thrown) {
      toast.problem(thrown, t('problem.generic'));
    } finally {
      setBusy(false);
    }
  }

  function act(action: RegistrationAction) {
    if (action === 'check') void check();
    else if (action === 'assign') setAssigning(true);
    else {
      const retry = action === 'retry';
      const hint = retry ? 'retryHint' : 'cancelHint';
      confirm({
        title: t(retry ? 'registrations.retryConfirm' : 'registrations.cancelConfirm'),
        hint: t(isVisited(registration.kind) ? `registrations.visit.${hint}` : `registrations.${hint}`),
        ok: t(`registrations.actions.${action}`),
        danger: !retry,
        run: async () => {
          await call(api.POST(retry ? '/registrations/{id}/retry' : '/registrations/{id}/cancel', { params }));
          await reload();
          toast.success(t('common.done'));
        },
      });
    }
  }

  if (assigning) return <AssignForm registration={registration} onDone={() => setAssigning(false)} />;
  const actions = registrationActions(registration.kind, registration.state);
  if (actions.length === 0) return null;
  return (
    <div className="buttons" data-testid="registration-actions">
      {actions.map((action) => (
        <Button
          key={action}
          variant={action === 'retry' ? 'base' : 'outline'}
          theme={action === 'cancel' ? 'danger' : action === 'retry' ? 'primary' : 'default'}
          loading={action === 'check' && busy}
          onClick={() => act(action)}
          data-testid={`registration-${action}`}
        >
          {t(`registrations.actions.${action}`)}
        </Button>
      ))}
    </div>
  );
}

const requestNames = [
  'name',
  'enterprise_name',
  'code',
  'component_phone',
  'idname',
  'wxuser',
  'openid',
  'appid',
] as const;

const visitStates = ['pending', 'waiting', 'created', 'completed', 'failed', 'canceled'] as const;

function View({ registration: r }: { registration: Registration }) {
  const { t } = useTranslation();
  const copy = useCopy();
  const may = useCan('operator');
  const detail = detailOf(r);
  const visited = isVisited(r.kind) ? oneOf(r.state, visitStates) : undefined;
  const yesNo = (given: boolean | null) => (given === null ? null : t(given ? 'common.yes' : 'common.no'));
  return (
    <div className="linkview">
      <div className="linkview__status" role="status">
        <RegistrationTag state={r.state} />
        <span className="muted">
          {visited === 'completed' && r.kind === 'admin_change'
            ? t('registrations.visit.changed')
            : visited
              ? t(`registrations.visit.${visited}`)
              : t(`registrations.stateText.${r.state}`)}
        </span>
      </div>
      {detail && (
        <p className="banner" data-testid="registration-detail-text">
          {detail}
        </p>
      )}
      {r.error && (
        <div className="problem" role="alert">
          <Refusal refusal={r.error} testId="registration-error" />
        </div>
      )}
      {r.appid && r.state === 'completed' && (
        <Link className="notice" to={`/authorizers/${r.appid}`} data-testid="registration-merchant">
          <i className="dot tone--good" aria-hidden="true" />
          <span>
            <b>{t('registrations.viewMerchant')}</b>
            <small>
              <code>{r.appid}</code>
            </small>
          </span>
        </Link>
      )}
      {r.qr_url && (
        <div className="qr">
          <img src={r.qr_url} alt={t('registrations.qrAlt')} data-testid="registration-qr" />
          <b>{isVisited(r.kind) ? t(`registrations.openTitle.${r.kind}`) : t('registrations.scanTitle')}</b>
          {r.expires_at && (
            <p className="muted" data-testid="registration-left">
              {t('registrations.left')} <Countdown until={r.expires_at} soon={t('registrations.over')} />
            </p>
          )}
          <code className="qr__url" data-testid="registration-url">
            {r.url}
          </code>
          <div className="buttons">
            <Button onClick={() => void copy(r.url)}>{t('registrations.copyUrl')}</Button>
            <ButtonLink outside to={r.url} variant="outline">
              {t('registrations.openUrl')}
            </ButtonLink>
          </div>
        </div>
      )}
      {may && <Actions registration={r} />}
      <Pairs
        brief
        items={[
          [t('registrations.kind'), t(`registrations.kinds.${r.kind}`)],
          [t('registrations.bizId'), r.biz_id && <code>{r.biz_id}</code>],
          ['AppID', r.appid && <code>{r.appid}</code>],
          [t('registrations.labels'), (r.labels ?? []).join('、')],
          ...requestNames.map((name): [string, string] => [
            t(`registrations.request.${name}`),
            r.request?.[name] ?? '',
          ]),
          [t('registrations.verifyCopied'), yesNo(r.verify_copied)],
          [t('registrations.linked'), yesNo(r.linked)],
          [t('registrations.status'), r.status],
          [t('registrations.result'), r.result],
          [t('links.createdBy'), r.created_by],
          [t('common.createdAt'), <Time key="at" value={r.created_at} exact="both" />],
          [t('registrations.next'), !isVisited(r.kind) && r.next_at ? <Time value={r.next_at} /> : null],
          [t('registrations.finished'), r.finished_at && <Time value={r.finished_at} exact="both" />],
        ]}
      />
    </div>
  );
}

function OneRegistration({ id }: { id: string }) {
  const query = useQuery(registrationQuery(id));
  return <QueryView query={query}>{(registration) => <View registration={registration} />}</QueryView>;
}

const shownStates = ['waiting', 'completed', 'failed', 'expired'] as const;

/** Registrations is where new mini programs come from. */
export default function Registrations() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const client = useQueryClient();
  const may = useCan('operator');
  const { id } = useParams();
  const [params, setParams] = useSearchParams();
  const [filter, setFilter] = useFilter(['state', 'biz_id']);
  const list = useInfiniteQuery(
    registrationsQuery({
      state: oneOf(filter.state, registrationStates),
      biz_id: filter.biz_id || undefined,
      limit: 50,
    }),
  );
  const creating = params.get('new') === '1' && may;
  const search = useCallback((v: string) => setFilter('biz_id', v), [setFilter]);

  function created(made: Registration) {
    client.setQueryData(keys.registration(made.id), made);
    void client.invalidateQueries({ queryKey: [...keys.registrations, 'list'] });
    void navigate(`/registrations/${made.id}`, { replace: true });
  }

  const columns: Column<Registration>[] = [
    {
      key: 'owner',
      title: t('registrations.owner'),
      card: 'head',
      render: (r) => (
        <Link to={`/registrations/${r.id}${window.location.search}`}>
          <b>{ownerOf(r.request) || r.appid || r.id}</b>
        </Link>
      ),
    },
    {
      key: 'state',
      title: t('registrations.state'),
      card: 'corner',
      render: (r) => <RegistrationTag state={r.state} />,
    },
    { key: 'kind', title: t('registrations.kind'), render: (r) => t(`registrations.kinds.${r.kind}`) },
    { key: 'biz', title: t('registrations.bizId'), render: (r) => r.biz_id || <span className="none">—</span> },
    {
      key: 'merchant',
      title: t('registrations.merchant'),
      render: (r) =>
        r.appid ? (
          r.state === 'completed' ? (
            <Link to={`/authorizers/${r.appid}`}>
              <code>{r.appid}</code>
            </Link>
          ) : (
            <code>{r.appid}</code>
          )
        ) : (
          <span className="none">—</span>
        ),
    },
    { key: 'at', title: t('common.createdAt'), render: (r) => <Time value={r.created_at} /> },
  ];

  return (
    <>
      <PageHead title={t('registrations.title')}>
        {may && (
          <Button onClick={() => setParams({ new: '1' })} data-testid="new-registration">
            {t('registrations.create')}
          </Button>
        )}
      </PageHead>
      <div className="toolbar">
        <SearchBox value={filter.biz_id} onSearch={search} placeholder={t('registrations.bizId')} />
        <Segmented
          name="registration-state"
          label={t('registrations.state')}
          value={filter.state}
          onChange={(v) => setFilter('state', v)}
          options={[
            { value: '', label: t('common.all') },
            ...shownStates.map((value) => ({ value, label: t(`registrations.states.${value}`) })),
          ]}
        />
      </div>
      <div className="panel panel--flush">
        <DataList
          query={list}
          columns={columns}
          rowKey={(r) => r.id}
          testId="registration"
          label={t('registrations.title')}
          empty={
            filter.state || filter.biz_id ? (
              <EmptyNote title={t('common.noMatches')} />
            ) : (
              <EmptyNote title={t('registrations.empty')} hint={t('registrations.emptyHint')} />
            )
          }
        />
      </div>
      <SidePanel
        testId="registration-create"
        title={t('registrations.create')}
        open={creating}
        onClose={() => setParams({}, { replace: true })}
      >
        <CreateForm
          key={params.toString()}
          first={{ kind: oneOf(params.get('kind') ?? '', wizardKinds), appid: params.get('appid') ?? '' }}
          onCreated={created}
        />
      </SidePanel>
      <SidePanel
        testId="registration-detail"
        title={t('registrations.title')}
        open={Boolean(id)}
        onClose={() => void navigate(`/registrations${window.location.search}`, { replace: true })}
      >
        {id && <OneRegistration key={id} id={id} />}
      </SidePanel>
    </>
  );
}
