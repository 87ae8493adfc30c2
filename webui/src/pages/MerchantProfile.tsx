import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call } from '../api/client';
import { basicQuery, categoriesQuery, changesQuery } from '../api/operations';
import { keys } from '../api/queries';
import type { AuthorizerDetail, BasicInfo, Categories, Change } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { type Column, DataList, DataTable } from '../components/DataList';
import { Face } from '../components/Face';
import { Granted, Withdrawn } from '../components/Granted';
import { Panel } from '../components/PageHead';
import { EmptyNote, QueryView } from '../components/QueryView';
import { Refusal } from '../components/Refusal';
import { SidePanel } from '../components/SidePanel';
import { ToneTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { categoryReview, categoryTitle, changeOpen, changeTone } from '../logic/operations';
import type { Tone } from '../logic/states';
import { CategoryForm, type Wanted } from './CategoryForm';
import { AvatarForm, NicknameForm, SignatureForm } from './ProfileForms';

interface Props {
  merchant: AuthorizerDetail;
}

const parts = ['nick_name', 'head_img', 'signature'] as const;
type Part = (typeof parts)[number];

const titles = {
  nick_name: ['ops.nickName', 'ops.nickNameTitle'],
  head_img: ['ops.headImg', 'ops.avatarTitle'],
  signature: ['ops.signature', 'ops.signatureTitle'],
} as const;

function BasicPart({ part, info, onChange }: { part: Part; info: BasicInfo; onChange: () => void }) {
  const { t } = useTranslation();
  const may = useCan('operator');
  const quota = info[`${part}_quota`];
  return (
    <li className="profilepart" data-testid={`profile-${part}`}>
      <span className="profilepart__name">{t(titles[part][0])}</span>
      <span className="profilepart__value">
        {part === 'head_img' && info.head_img ? (
          <Face large src={info.head_img} name={info.nick_name} />
        ) : (
          info[part] || <span className="note--bad">{t('ops.unset')}</span>
        )}
        {quota.limit > 0 && <small className="faint">{t('ops.quota', { used: quota.used, limit: quota.limit })}</small>}
      </span>
      {may && (
        <Button size="small" variant="outline" theme="default" onClick={onChange} data-testid={`change-${part}`}>
          {t('ops.change')}
        </Button>
      )}
    </li>
  );
}

function Basic({ merchant }: Props) {
  const { t } = useTranslation();
  const query = useQuery(basicQuery(merchant.appid));
  const [open, setOpen] = useState<Part | null>(null);
  const close = () => setOpen(null);
  return (
    <QueryView query={query} rows={4}>
      {(info) => (
        <>
          {!info.complete && (
            <div className="banner" data-testid="profile-incomplete">
              {t('ops.incomplete')}
            </div>
          )}
          {info.annual_review_due && <div className="banner">{t('ops.annual')}</div>}
          <ul className="profileparts">
            {parts.map((part) => (
              <BasicPart key={part} part={part} info={info} onChange={() => setOpen(part)} />
            ))}
          </ul>
          <SidePanel
            testId="profile-change"
            title={open ? t(titles[open][1]) : ''}
            open={open !== null}
            onClose={close}
          >
            {open === 'nick_name' && <NicknameForm appid={merchant.appid} info={info} onDone={close} />}
            {open === 'head_img' && <AvatarForm appid={merchant.appid} info={info} onDone={close} />}
            {open === 'signature' && <SignatureForm appid={merchant.appid} info={info} onDone={close} />}
          </SidePanel>
        </>
      )}
    </QueryView>
  );
}

type Own = NonNullable<Categories['own']>[number];

const reviewTones: Record<ReturnType<typeof categoryReview>, Tone> = {
  reviewing: 'review',
  refused: 'bad',
  approved: 'good',
  unknown: 'idle',
};

function CategoryList({ merchant, data }: Props & { data: Categories }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  const { appid } = merchant;
  const own = data.own ?? [];
  const [wanted, setWanted] = useState<Wanted | null>(null);
  const nameOf = (c: Own) => `${c.first_name} / ${c.second_name}`;

  function askRemove(c: Own) {
    confirm({
      title: t('ops.removeCategoryConfirm', { name: nameOf(c) }),
      hint: t('ops.removeCategoryHint'),
      ok: t('ops.removeCategory'),
      danger: true,
      run: async () => {
        await call(
          api.DELETE('/authorizers/{appid}/categories/{first}/{second}', {
            params: { path: { appid, first: c.first, second: c.second } },
          }),
        );
        await client.invalidateQueries({ queryKey: categoriesQuery(appid).queryKey });
        toast.success(t('ops.removed'));
      },
    });
  }

  const columns: Column<Own>[] = [
    { key: 'name', title: t('ops.category'), card: 'head', render: (c) => <b>{nameOf(c)}</b> },
    {
      key: 'review',
      title: t('ops.review'),
      card: 'corner',
      render: (c) => {
        const word = categoryReview(c.audit_status);
        return (
          <ToneTag
            tone={reviewTones[word]}
            text={t(`ops.reviewState.${word}`, { n: c.audit_status })}
            testId={`category-${word}`}
          />
        );
      },
    },
    { key: 'reason', title: t('ops.reason'), render: (c) => c.audit_reason || <span className="none">—</span> },
    {
      key: 'do',
      title: '',
      card: 'foot',
      align: 'end',
      render: (c) =>
        may ? (
          <span className="buttons">
            {categoryReview(c.audit_status) === 'refused' && (
              <Button
                size="small"
                variant="outline"
                theme="default"
                onClick={() => setWanted({ first: c.first, second: c.second, title: nameOf(c) })}
              >
                {t('ops.changeProof')}
              </Button>
            )}
            <Button
              size="small"
              variant="outline"
              theme="danger"
              onClick={() => askRemove(c)}
              data-testid={`remove-category-${c.second}`}
            >
              {t('ops.removeCategory')}
            </Button>
          </span>
        ) : null,
    },
  ];

  // Without the set for the settings there is still what a submission may name.
  const usable = (data.items ?? []).map((c) =>
    [c.first_class, c.second_class, c.third_class].filter(Boolean).join(' / '),
  );
  return (
    <>
      {data.error ? (
        <>
          <div className="lacking">
            <p>{t('ops.categoriesUnread')}</p>
            <Refusal refusal={data.error} />
          </div>
          <span className="pills">
            {usable.map((name) => (
              <span key={name} className="pill">
                {name}
              </span>
            ))}
          </span>
        </>
      ) : (
        <>
          <p className="muted">{t('ops.categoriesQuota', { left: data.left, limit: data.limit, max: data.max })}</p>
          {own.length === 0 ? (
            <EmptyNote title={t('ops.categoriesEmpty')} />
          ) : (
            <DataTable
              columns={columns}
              rows={own}
              rowKey={(c) => `${c.first}-${c.second}`}
              testId="category"
              label={t('ops.categories')}
            />
          )}
          {may && (
            <div>
              <Button
                variant="outline"
                onClick={() => setWanted({ first: 0, second: 0, title: '' })}
                data-testid="add-category"
              >
                {t('ops.addCategory')}
              </Button>
            </div>
          )}
        </>
      )}
      <SidePanel
        testId="category-form"
        title={wanted?.second ? t('ops.changeProof') : t('ops.addCategory')}
        open={wanted !== null}
        onClose={() => setWanted(null)}
      >
        {wanted && <CategoryForm appid={appid} wanted={wanted} own={own} onDone={() => setWanted(null)} />}
      </SidePanel>
    </>
  );
}

function CategoryPart({ merchant }: Props) {
  const query = useQuery(categoriesQuery(merchant.appid));
  return (
    <QueryView query={query} rows={3}>
      {(data) => <CategoryList merchant={merchant} data={data} />}
    </QueryView>
  );
}

function ChangeButtons({ change, appid }: { change: Change; appid: string }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const [busy, setBusy] = useState(false);
  const params = { path: { appid, id: change.id } };
  const again = () => client.invalidateQueries({ queryKey: keys.authorizer(appid) });

  async function check() {
    setBusy(true);
    try {
      await call(api.POST('/authorizers/{appid}/changes/{id}/check', { params }));
      await again();
      toast.success(t('ops.checked'));
    } catch (thrown) {
      toast.problem(thrown, t('problem.generic'));
    } finally {
      setBusy(false);
    }
  }

  return (
    <span className="buttons">
      <Button
        size="small"
        variant="outline"
        loading={busy}
        onClick={() => void check()}
        data-testid={`check-${change.id}`}
      >
        {t('ops.check')}
      </Button>
      <Button
        size="small"
        variant="outline"
        theme="default"
        data-testid={`forget-${change.id}`}
        onClick={() =>
          confirm({
            title: t('ops.forgetConfirm'),
            hint: t('ops.forgetHint'),
            ok: t('ops.forget'),
            run: async () => {
              await call(api.POST('/authorizers/{appid}/changes/{id}/forget', { params }));
              await again();
              toast.success(t('ops.forgotten'));
            },
          })
        }
      >
        {t('ops.forget')}
      </Button>
    </span>
  );
}

function Changes({ merchant }: Props) {
  const { t } = useTranslation();
  const may = useCan('operator');
  const { appid } = merchant;
  const list = useInfiniteQuery(changesQuery(appid));
  const categories = useQuery({ ...categoriesQuery(appid), enabled: false });
  const columns: Column<Change>[] = [
    {
      key: 'subject',
      title: t('ops.subject'),
      card: 'head',
      render: (c) => (
        <span className="tester">
          <b>{t(`ops.kinds.${c.kind}`)}</b>
          <small>{c.kind === 'category' ? categoryTitle(c.subject, categories.data?.own ?? []) : c.subject}</small>
        </span>
      ),
    },
    {
      key: 'state',
      title: t('ops.state'),
      card: 'corner',
      render: (c) => (
        <ToneTag tone={changeTone(c.state)} text={t(`ops.states.${c.state}`)} testId={`change-state-${c.state}`} />
      ),
    },
    {
      key: 'reason',
      title: t('ops.reason'),
      render: (c) =>
        c.error ? (
          <>
            {c.reason && <span>{c.reason}</span>}
            <Refusal refusal={c.error} />
          </>
        ) : (
          c.reason || <span className="none">—</span>
        ),
    },
    { key: 'by', title: t('links.createdBy'), render: (c) => c.created_by || <span className="none">—</span> },
    { key: 'at', title: t('common.createdAt'), render: (c) => <Time value={c.created_at} /> },
    {
      key: 'do',
      title: '',
      card: 'foot',
      align: 'end',
      render: (c) => (may && changeOpen(c.state) ? <ChangeButtons change={c} appid={appid} /> : null),
    },
  ];
  return (
    <DataList
      query={list}
      columns={columns}
      rowKey={(c) => c.id}
      testId="change"
      label={t('ops.changes')}
      empty={<EmptyNote title={t('ops.changesEmpty')} />}
    />
  );
}

/** MerchantProfile is what users see of a mini program, and what WeChat has decided about changes of it. */
export function MerchantProfile({ merchant }: Props) {
  const { t } = useTranslation();
  const open = merchant.status === 'authorized';
  return (
    <div className="stack" data-testid="profile">
      {!open && <Withdrawn />}
      {open && (
        <div className="columns">
          <Panel title={t('ops.basic')} hint={t('ops.basicHint')} testId="profile-basic">
            <Granted merchant={merchant} operation="basic">
              <Basic merchant={merchant} />
            </Granted>
          </Panel>
          <Panel title={t('ops.categories')} testId="profile-categories">
            <Granted merchant={merchant} operation="categories">
              <CategoryPart merchant={merchant} />
            </Granted>
          </Panel>
        </div>
      )}
      <Panel title={t('ops.changes')} testId="profile-changes">
        <Changes merchant={merchant} />
      </Panel>
    </div>
  );
}
