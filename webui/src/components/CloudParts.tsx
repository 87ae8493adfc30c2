import { useTranslation } from 'react-i18next';
import type { CloudShare } from '../api/types';
import { shareTone } from '../logic/cloudenvs';
import { ToneTag } from './StateTag';

/** SeenInUse marks what WeChat has not written down. */
export function SeenInUse() {
  const { t } = useTranslation();
  return (
    <span className="tag tag--action" title={t('cloud.seenHint')} data-testid="seen-in-use">
      <i aria-hidden="true" />
      {t('cloud.seen')}
    </span>
  );
}

export function ShareTag({ state }: { state: CloudShare['state'] }) {
  const { t } = useTranslation();
  return <ToneTag tone={shareTone(state)} text={t(`cloud.states.${state}`)} testId={`share-state-${state}`} />;
}
