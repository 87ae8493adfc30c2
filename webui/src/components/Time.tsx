import { useTranslation } from 'react-i18next';
import { absolute, relative } from '../logic/time';
import { useNow } from './useNow';

/** Time shows how long ago (or ahead) something is; the exact time is in its title. */
export function Time({ value, exact = false }: { value?: string | null; exact?: boolean }) {
  const { i18n } = useTranslation();
  const now = useNow();
  if (!value) return <span className="none">—</span>;
  const at = Date.parse(value);
  if (Number.isNaN(at)) return <span>{value}</span>;
  const whole = absolute(at, i18n.language);
  return (
    <time dateTime={value} title={whole}>
      {exact ? whole : relative(at, now, i18n.language)}
    </time>
  );
}
