import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { api, call } from '../api/client';
import { allRulesQuery } from '../api/messages';
import { keys } from '../api/queries';
import type { Delivery, Rule } from '../api/types';
import { longAnswer } from '../logic/delivery';
import { Button } from './Button';
import { useConfirm } from './Confirm';
import { Countdown } from './Countdown';
import { DeliveryStateTag } from './RuleParts';
import { useCan } from './session';
import { Time } from './Time';
import { toast } from './toast';

type Attempt = NonNullable<Delivery['attempts']>[number];

/** useRule finds a rule by its id; undefined while it is not known, null when there is none. */
export function useRule(id: string): Rule | null | undefined {
  const rules = useQuery(allRulesQuery);
  return rules.data && (rules.data.find((r) => r.id === id) ?? null);
}

/** useRetryDelivery asks and sends a delivery again. */
export function useRetryDelivery() {
  const { t } = useTranslation();
  const ask = useConfirm();
  const client = useQueryClient();
  return (d: Delivery) =>
    ask({
      title: t('deliveries.retryTitle'),
      hint: d.state === 'delivered' ? t('deliveries.retryDeliveredHint') : t('deliveries.retryHint'),
      ok: d.state === 'delivered' ? t('deliveries.sendAgain') : t('deliveries.retry'),
      run: async () => {
        await call(api.POST('/deliveries/{id}/retry', { params: { path: { id: d.id } } }));
        toast.success(t('deliveries.retried'));
        void client.invalidateQueries({ queryKey: keys.deliveries });
        void client.invalidateQueries({ queryKey: keys.messages });
      },
    });
}

/** NextTry says when a pending delivery is sent next, or why it waits. */
export function NextTry({ delivery }: { delivery: Delivery }) {
  const { t } = useTranslation();
  const rule = useRule(delivery.rule_id);
  if (delivery.state !== 'pending') return null;
  if (rule && !rule.enabled) {
    return (
      <span className="faint" data-testid="next-try">
        {rule.paused_at ? t('deliveries.waitsPaused') : t('deliveries.waitsDisabled')}
      </span>
    );
  }
  if (!delivery.id) {
    return (
      <span className="faint" data-testid="next-try">
        {t('deliveries.waitsBehind')}
      </span>
    );
  }
  if (!delivery.next_at) return null;
  return (
    <span className="faint" data-testid="next-try">
      {t('deliveries.nextTry')}
      <Countdown until={delivery.next_at} soon={t('deliveries.soon')} />
    </span>
  );
}

/** AttemptWords is what came of a try in a few words. */
export function AttemptWords({ attempt }: { attempt: Attempt }) {
  const { t } = useTranslation();
  const failed = attempt.error !== '';
  return (
    <span className={failed ? 'attempt__status attempt__status--bad' : 'attempt__status'}>
      {attempt.status ? `HTTP ${attempt.status}` : t('deliveries.noAnswer')}
    </span>
  );
}

function Answer({ text }: { text: string }) {
  const { t } = useTranslation();
  const [whole, setWhole] = useState(false);
  const long = longAnswer(text);
  return (
    <div className="attempt__answer">
      <pre className={whole || !long ? 'code' : 'code code--cut'} data-testid="attempt-response">
        {text}
      </pre>
      {long && (
        <button type="button" className="disclosure" aria-expanded={whole} onClick={() => setWhole(!whole)}>
          {whole ? t('common.showLess') : t('common.showMore')}
        </button>
      )}
    </div>
  );
}

/** shownTries is how many tries are shown before somebody wants them all. */
const shownTries = 3;

/** Attempts is the course of a delivery, the newest try on top. */
function Attempts({ delivery }: { delivery: Delivery }) {
  const { t } = useTranslation();
  const [all, setAll] = useState(false);
  const attempts = [...(delivery.attempts ?? [])].reverse();
  if (attempts.length === 0) return <p className="faint">{t('deliveries.noAttempts')}</p>;
  const hidden = all ? 0 : attempts.length - shownTries;
  return (
    <>
      <ol className="steps attempts" data-testid="attempts">
        {attempts.slice(0, hidden > 1 ? shownTries : undefined).map((a, i) => (
          <li key={a.at} className={a.error ? 'step step--failed' : 'step step--done'} data-testid="attempt">
            <div className="step__head">
              <AttemptWords attempt={a} />
              <span className="faint">{t('deliveries.took', { ms: a.duration_ms })}</span>
              <span className="step__time faint">
                <Time value={a.at} exact />
              </span>
            </div>
            {a.error && <p className="step__detail">{a.error}</p>}
            {a.response &&
              (a.response === attempts[i - 1]?.response ? (
                <p className="faint">{t('deliveries.sameAnswer')}</p>
              ) : (
                <Answer text={a.response} />
              ))}
          </li>
        ))}
      </ol>
      {attempts.length > shownTries + 1 && (
        <button
          type="button"
          className="disclosure"
          aria-expanded={all}
          onClick={() => setAll(!all)}
          data-testid="all-attempts"
        >
          {all ? t('common.showLess') : t('deliveries.allTries', { n: attempts.length })}
        </button>
      )}
    </>
  );
}

/** DeliveryView is one delivery with all its tries. */
export function DeliveryView({ delivery }: { delivery: Delivery }) {
  const { t } = useTranslation();
  const may = useCan('operator');
  const rule = useRule(delivery.rule_id);
  const retry = useRetryDelivery();
  return (
    <article className="delivery" data-testid={`delivery-view-${delivery.id || `of-${delivery.rule_id}`}`}>
      <div className="delivery__head">
        {rule === null ? (
          <span className="faint">{t('deliveries.ruleGone', { id: delivery.rule_id })}</span>
        ) : (
          <Link to={`/forward-rules/${delivery.rule_id}`} className="delivery__rule">
            {rule?.name ?? '…'}
          </Link>
        )}
        <DeliveryStateTag state={delivery.state} />
        <NextTry delivery={delivery} />
        {may && rule && delivery.id && (
          <Button
            size="small"
            variant="outline"
            theme="default"
            onClick={() => retry(delivery)}
            data-testid={`retry-${delivery.id}`}
          >
            {delivery.state === 'delivered' ? t('deliveries.sendAgain') : t('deliveries.retry')}
          </Button>
        )}
      </div>
      <Attempts delivery={delivery} />
    </article>
  );
}
