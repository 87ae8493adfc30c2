import { useTranslation } from 'react-i18next';
import type { Role } from '../api/types';
import { PageHead } from './PageHead';
import { EmptyNote } from './QueryView';

/** NeedsRole stands in for a page that a user's role does not open. */
export function NeedsRole({ title, needs }: { title: string; needs: Role }) {
  const { t } = useTranslation();
  return (
    <>
      <PageHead title={title} />
      <div className="panel">
        <EmptyNote title={t('admin.needsRole', { role: t(`account.roles.${needs}`) })} />
      </div>
    </>
  );
}
