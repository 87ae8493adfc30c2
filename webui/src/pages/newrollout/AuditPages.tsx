import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { DeleteIcon } from 'tdesign-icons-react';
import { Input } from 'tdesign-react';
import { categoriesQuery } from '../../api/operations';
import type { Category } from '../../api/types';
import { Button } from '../../components/Button';
import { Combo } from '../../components/Combo';
import { Field } from '../../components/Field';
import { FieldError } from '../../components/FieldError';
import { Named } from '../../components/Named';
import { ProblemPanel } from '../../components/ProblemPanel';
import type { AuditPage } from '../../logic/rollout';
import type { PartProps } from './parts';
import { useTargets } from './TargetsStep';

const most = 5;

function nameOf(c: Category | null): string {
  return c ? [c.first_class, c.second_class, c.third_class].filter(Boolean).join(' / ') : '';
}

const idOf = (c: Category) => `${c.first_id}/${c.second_id}/${c.third_id}`;

/** AuditPages names pages for the reviewers; the categories offered are those of one of the merchants. */
export function AuditPages({ form, change, errorOf }: PartProps) {
  const { t } = useTranslation();
  const { query: targets } = useTargets(form);
  const merchant = targets.data?.sample?.[0];
  const appid = merchant?.appid ?? '';
  const categories = useQuery({ ...categoriesQuery(appid), enabled: appid !== '' && form.pages.length > 0 });
  const offered = categories.data?.items ?? [];
  const set = (at: number, part: Partial<AuditPage>) =>
    change({ pages: form.pages.map((page, i) => (i === at ? { ...page, ...part } : page)) });
  return (
    <Field name="audit-pages" group label={t('wizard.pages')} hint={t('wizard.pagesHint')}>
      {form.pages.length > 0 && (
        <p className="muted">
          {merchant
            ? t('wizard.categoriesOf', { name: merchant.nick_name || merchant.appid })
            : t('wizard.categoriesNone')}
        </p>
      )}
      {categories.isError && (
        <ProblemPanel compact error={categories.error} onRetry={() => void categories.refetch()} />
      )}
      {form.pages.map((page, i) => (
        <fieldset key={i} className="auditpage" aria-label={t('wizard.pageN', { n: i + 1 })} data-testid="audit-page">
          <Combo
            name={`audit-category-${i}`}
            label={t('wizard.category')}
            placeholder={t('wizard.chooseCategory')}
            value={page.category ? idOf(page.category) : ''}
            text={nameOf(page.category)}
            exact
            options={offered.map((c) => ({ value: idOf(c), title: nameOf(c) }))}
            onPick={(id) => set(i, { category: offered.find((c) => idOf(c) === id) ?? null })}
          />
          <Named name={t('wizard.pageAddress')}>
            <Input
              value={page.address}
              onChange={(address) => set(i, { address })}
              placeholder={`${t('wizard.pageAddress')} pages/index/index`}
            />
          </Named>
          <Named name={t('wizard.pageTitle')}>
            <Input value={page.title} onChange={(title) => set(i, { title })} placeholder={t('wizard.pageTitle')} />
          </Named>
          <Named name={t('wizard.pageTag')}>
            <Input
              value={page.tag}
              onChange={(tag) => set(i, { tag })}
              placeholder={`${t('wizard.pageTag')} · ${t('wizard.pageTagHint')}`}
            />
          </Named>
          <Button
            variant="text"
            shape="square"
            icon={<DeleteIcon />}
            aria-label={t('common.remove')}
            onClick={() => change({ pages: form.pages.filter((_, at) => at !== i) })}
          />
        </fieldset>
      ))}
      <FieldError text={errorOf('audit.item_list')} />
      {form.pages.length < most && (
        <div>
          <Button
            size="small"
            variant="outline"
            theme="default"
            onClick={() => change({ pages: [...form.pages, { address: '', title: '', tag: '', category: null }] })}
            data-testid="add-audit-page"
          >
            {t('wizard.addPage')}
          </Button>
        </div>
      )}
    </Field>
  );
}
