import { useTranslation } from 'react-i18next';
import { pushTitle } from '../logic/pushes';

/** PushName says in words what WeChat pushed, with WeChat's own name for it small beside. */
export function PushName({ name }: { name: string }) {
  const { i18n } = useTranslation();
  const title = pushTitle(name, i18n.language);
  if (!title) return <code className="pushname__raw">{name || '—'}</code>;
  return (
    <span className="pushname">
      {title} <code className="pushname__raw">{name}</code>
    </span>
  );
}
