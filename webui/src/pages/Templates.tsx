import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api, call, newIdempotencyKey } from '../api/client';
import { asProblem } from '../api/problem';
import { draftsQuery, keys, templatesQuery } from '../api/queries';
import type { Draft, Template } from '../api/types';
import { Button, ButtonLink } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { type Column, DataList, itemsOf } from '../components/DataList';
import { PageHead, Panel } from '../components/PageHead';
import { EmptyNote } from '../components/QueryView';
import { ToneTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { belowAddress, LiveVersions } from './LiveVersions';

const mostTemplates = 200;

function Source({ row }: { row: Draft | Template }) {
  return (
    <span>
      {row.source_miniprogram} {row.developer && <span className="faint">{row.developer}</span>}
    </span>
  );
}

export default function Templates() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  const drafts = useInfiniteQuery(draftsQuery);
  const templates = useInfiniteQuery(templatesQuery);

  function add(draft: Draft) {
    const key = newIdempotencyKey();
    confirm({
      title: t('templates.addConfirm', { version: draft.user_version }),
      hint: t('templates.addHint'),
      ok: t('templates.add'),
      run: async () => {
        const added = await call(
          api.POST('/templates', {
            body: { draft_id: draft.draft_id },
            params: { header: { 'Idempotency-Key': key } },
          }),
        );
        await client.invalidateQueries({ queryKey: keys.templates });
        toast.success(t('templates.added', { id: added.template_id }));
      },
    });
  }

  async function removed(template: Template, force: boolean) {
    await call(
      api.DELETE('/templates/{template_id}', {
        params: { path: { template_id: String(template.template_id) }, query: force ? { force } : {} },
      }),
    );
    await client.invalidateQueries({ queryKey: keys.templates });
    toast.success(t('templates.deleted'));
  }

  function remove(template: Template) {
    const { template_id: id, user_version: version, used_by: used, live } = template;
    const hint = (
      <>
        <p>{t('templates.deleteHint')}</p>
        {used > 0 && <p className="note--bad">{t('library.deleteUsed', { n: used })}</p>}
        {live > 0 && <p>{t('library.deleteLive', { n: live })}</p>}
      </>
    );
    confirm({
      title: t('templates.deleteConfirm', { id, version }),
      hint,
      ok: t('templates.delete'),
      danger: true,
      run: async () => {
        try {
          await removed(template, false);
        } catch (thrown) {
          // The dialog now asks anew; what was thrown stays in it and names the rollouts.
          if (asProblem(thrown).status === 409) {
            confirm({
              title: t('library.forceConfirm', { id }),
              hint,
              ok: t('library.force'),
              danger: true,
              run: () => removed(template, true),
            });
          }
          throw thrown;
        }
      },
    });
  }

  const shared = <T extends Draft | Template>(): Column<T>[] => [
    { key: 'desc', title: t('templates.desc'), render: (r) => r.user_desc || <span className="none">—</span> },
    { key: 'source', title: t('templates.source'), render: (r) => <Source row={r} /> },
    { key: 'time', title: t('templates.time'), render: (r) => <Time value={r.create_time} /> },
  ];
  const templateColumns: Column<Template>[] = [
    {
      key: 'version',
      title: t('templates.version'),
      card: 'head',
      render: (r) => (
        <span className="versioncell">
          <b>{r.user_version}</b>
          <code>#{r.template_id}</code>
          {r.template_type === 1 && <ToneTag tone="ended" text={t('templates.standard')} />}
        </span>
      ),
    },
    ...shared<Template>(),
    {
      key: 'used',
      title: t('library.usedBy'),
      render: (r) =>
        r.used_by > 0 ? (
          <span data-testid={`template-used-${r.template_id}`}>{t('library.usedByN', { n: r.used_by })}</span>
        ) : (
          <span className="none">{t('library.unused')}</span>
        ),
    },
    {
      key: 'live',
      title: t('library.live'),
      render: (r) =>
        r.live > 0 ? (
          <span data-testid={`template-live-${r.template_id}`}>{t('library.liveN', { n: r.live })}</span>
        ) : (
          <span className="none">{t('library.unused')}</span>
        ),
    },
    {
      key: 'actions',
      title: '',
      card: 'foot',
      align: 'end',
      render: (r) =>
        may && (
          <span className="buttons">
            <Button
              size="small"
              theme="danger"
              variant="text"
              onClick={() => remove(r)}
              data-testid={`delete-template-${r.template_id}`}
            >
              {t('templates.delete')}
            </Button>
            <ButtonLink
              to={belowAddress(r.user_version, r.template_id)}
              testId={`below-template-${r.template_id}`}
              small
              variant="outline"
            >
              {t('library.belowShort')}
            </ButtonLink>
            <ButtonLink
              to={`/rollouts/new?template_id=${r.template_id}`}
              testId={`use-template-${r.template_id}`}
              small
              variant="outline"
            >
              {t('templates.use')}
            </ButtonLink>
          </span>
        ),
    },
  ];
  const draftColumns: Column<Draft>[] = [
    {
      key: 'version',
      title: t('templates.version'),
      card: 'head',
      render: (r) => (
        <span className="versioncell">
          <b>{r.user_version}</b>
          <code>#{r.draft_id}</code>
        </span>
      ),
    },
    ...shared<Draft>(),
    {
      key: 'actions',
      title: '',
      card: 'foot',
      align: 'end',
      render: (r) =>
        may && (
          <Button
            size="small"
            variant="outline"
            disabled={left === 0}
            onClick={() => add(r)}
            data-testid={`add-draft-${r.draft_id}`}
          >
            {t('templates.add')}
          </Button>
        ),
    },
  ];

  const left = Math.max(0, mostTemplates - itemsOf(templates).length);
  return (
    <>
      <PageHead title={t('templates.title')}>
        <Button
          variant="outline"
          theme="default"
          loading={drafts.isRefetching || templates.isRefetching}
          onClick={() => {
            void drafts.refetch();
            void templates.refetch();
          }}
        >
          {t('common.refresh')}
        </Button>
      </PageHead>
      <LiveVersions
        templateOf={(version) => itemsOf(templates).find((tpl) => tpl.user_version === version)?.template_id}
      />
      <Panel
        title={t('templates.library')}
        hint={
          templates.data && (left > 0 ? t('library.limitHint', { most: mostTemplates, left }) : t('library.limitFull'))
        }
        extra={
          templates.data && (
            <span className={left > 10 ? 'count' : 'count note--bad'} data-testid="template-limit">
              {t('library.limit', { n: mostTemplates - left, most: mostTemplates })}
            </span>
          )
        }
      >
        <DataList
          query={templates}
          columns={templateColumns}
          rowKey={(r) => String(r.template_id)}
          testId="template"
          label={t('templates.library')}
          empty={<EmptyNote title={t('templates.empty')} hint={t('templates.emptyHint')} />}
        />
      </Panel>
      <Panel title={t('templates.drafts')}>
        <DataList
          query={drafts}
          columns={draftColumns}
          rowKey={(r) => String(r.draft_id)}
          testId="draft"
          label={t('templates.drafts')}
          empty={<EmptyNote title={t('templates.draftsEmpty')} hint={t('templates.draftsEmptyHint')} />}
        />
      </Panel>
    </>
  );
}
