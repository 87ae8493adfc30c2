import { useInfiniteQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { templatesQuery } from '../../api/queries';
import type { Template } from '../../api/types';
import { itemsOf } from '../../components/DataList';
import { FieldError } from '../../components/FieldError';
import { Panel } from '../../components/PageHead';
import { ProblemPanel } from '../../components/ProblemPanel';
import { EmptyNote, Loading } from '../../components/QueryView';
import { Time } from '../../components/Time';
import type { PartProps } from './parts';

/** fromTemplate is what the form takes over from a template. */
export function fromTemplate(tpl: Template) {
  return { template_id: tpl.template_id, user_version: tpl.user_version, user_desc: tpl.user_desc };
}

/** TemplateStep chooses the code. */
export function TemplateStep({ form, change, errorOf }: PartProps) {
  const { t } = useTranslation();
  const templates = useInfiniteQuery(templatesQuery);
  const rows = itemsOf(templates);
  const gone = templates.data && form.template_id !== null && !rows.some((r) => r.template_id === form.template_id);
  return (
    <Panel title={t('newRollout.template')} testId="part-template">
      {templates.isPending && <Loading rows={3} />}
      {templates.isError && <ProblemPanel error={templates.error} onRetry={() => void templates.refetch()} />}
      {templates.data && rows.length === 0 && (
        <EmptyNote
          title={t('newRollout.noTemplates')}
          action={<Link to="/templates">{t('newRollout.toTemplates')}</Link>}
        />
      )}
      {gone && <p className="banner">{t('wizard.notFound', { id: form.template_id ?? '' })}</p>}
      <div className="choices choices--tall" role="radiogroup" aria-label={t('newRollout.template')}>
        {rows.map((tpl) => (
          <label key={tpl.template_id} className="choice" data-testid={`template-option-${tpl.template_id}`}>
            <input
              type="radio"
              name="template"
              checked={form.template_id === tpl.template_id}
              onChange={() => change(fromTemplate(tpl))}
            />
            <span className="choice__text">
              <b>{tpl.user_version}</b> <code>#{tpl.template_id}</code>
              <span className="muted">{tpl.user_desc}</span>
            </span>
            <span className="faint">
              <Time value={tpl.create_time} />
            </span>
          </label>
        ))}
      </div>
      <FieldError text={errorOf('template_id')} />
    </Panel>
  );
}
