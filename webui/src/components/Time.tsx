import { useTranslation } from 'react-i18next';
import { absolute, relative, told } from '../logic/time';
import { useNow } from './useNow';

/** Time shows when something is, near times relative to now; the exact time is in its title. exact shows both. */
export function Time({ value, exact = false }: { value?: string | null; exact?: boolean | 'both' }) {
  const { i18n } = useTranslation();
  const now = useNow();
  if (!value) return <span className="none">—</span>;
  const at = Date.parse(value);
  if (Number.isNaN(at)) return <span>{value}</span>;
  const whole = absolute(at, i18n.language);
  return (
    <time dateTime={value} title={whole}>
      {exact ? whole : told(at, now, i18n.language)}
      {exact === 'both' && <span className="faint"> {relative(at, now, i18n.language)}</span>}
    </time>
  );
}
