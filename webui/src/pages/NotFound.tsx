import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { EmptyNote } from '../components/QueryView';

export default function NotFound() {
  const { t } = useTranslation();
  return <EmptyNote title={t('app.notFound')} action={<Link to="/">{t('app.toDashboard')}</Link>} />;
}
