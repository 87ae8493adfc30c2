import { useTranslation } from 'react-i18next';
import type { Message } from '../api/types';
import { tally } from '../logic/delivery';
import { ToneTag } from './StateTag';

/** typeOf is WeChat's own word for what a message is about. */
export function typeOf(m: Pick<Message, 'info_type' | 'event' | 'msg_type'>): string {
  return m.info_type || m.event || m.msg_type;
}

export function MessageTag({ state }: { state: Message['state'] }) {
  const { t } = useTranslation();
  const tone = state === 'handled' ? 'good' : state === 'failed' ? 'bad' : 'working';
  return <ToneTag tone={tone} text={t(`messages.${state}`)} testId={`message-state-${state}`} />;
}

const tones = { dead: 'bad', pending: 'working', delivered: 'good' } as const;

/** DeliveryTally says what has become of the deliveries of a message. */
export function DeliveryTally({ deliveries }: { deliveries: Message['deliveries'] }) {
  const { t } = useTranslation();
  const counts = tally(deliveries ?? []);
  if (counts.length === 0) return <span className="none">—</span>;
  return (
    <span className="tally">
      {counts.map(({ state, n }) => (
        <span key={state} className={`tally__part tally__part--${state}`} data-testid={`tally-${state}`}>
          <i className={`dot tone--${tones[state]}`} aria-hidden="true" />
          {t(`forward.deliveryState.${state}`)}
          {(n > 1 || counts.length > 1) && ` ${n}`}
        </span>
      ))}
    </span>
  );
}
