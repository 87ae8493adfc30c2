import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api, call, newIdempotencyKey } from '../api/client';
import { draftsQuery, keys, templatesQuery } from '../api/queries';
import type { Draft, Template } from '../api/types';
import { Button, ButtonLink } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { type Column, DataList } from '../components/DataList';
import { PageHead, Panel } from '../components/PageHead';
import { EmptyNote } from '../components/QueryView';
import { ToneTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { toast } from '../components/toast';

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

  function remove(template: Template) {
    confirm({
      title: t('templates.deleteConfirm', { id: template.template_id, version: template.user_version }),
      hint: t('templates.deleteHint'),
      ok: t('templates.delete'),
      danger: true,
      run: async () => {
        await call(
          api.DELETE('/templates/{template_id}', {
            params: { path: { template_id: String(template.template_id) } },
          }),
        );
        await client.invalidateQueries({ queryKey: keys.templates });
        toast.success(t('templates.deleted'));
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
          <Button size="small" variant="outline" onClick={() => add(r)} data-testid={`add-draft-${r.draft_id}`}>
            {t('templates.add')}
          </Button>
        ),
    },
  ];

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
      <Panel title={t('templates.library')}>
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
