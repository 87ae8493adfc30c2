import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { CheckCircleIcon, CloseIcon } from 'tdesign-icons-react';
import { linksQuery, metaQuery, overviewQuery } from '../api/queries';
import { currentStep, doneSteps, type TourStep, tourSteps } from '../logic/tour';
import { Button, ButtonLink } from './Button';
import { useCan } from './session';

const ways: Record<TourStep, string> = {
  authorize: '/links?new=1',
  rollout: '/rollouts/new',
  review: '/simulator?tab=audits',
  released: '/rollouts',
};

const put = 'wxsteward.tour';

function wasPutAway(): boolean {
  try {
    return localStorage.getItem(put) === 'away';
  } catch {
    return false; // storage may be forbidden
  }
}

/** Tour leads a newcomer through the simulation, from a merchant's consent to its release. It follows what happens by itself. */
export function Tour() {
  const { t } = useTranslation();
  const may = useCan('operator');
  const meta = useQuery(metaQuery);
  const [away, setAway] = useState(wasPutAway);
  const shown = Boolean(meta.data?.simulation) && may && !away;
  const links = useInfiniteQuery({ ...linksQuery({ status: 'authorized', limit: 1 }), enabled: shown });
  const overview = useQuery({ ...overviewQuery, enabled: shown });
  if (!shown || !overview.data || !links.data) return null;
  const done = doneSteps({
    linksUsed: links.data.pages[0]?.items?.length ?? 0,
    rollouts: overview.data.rollouts,
    submissions: overview.data.submissions,
  });
  const current = currentStep(done);

  function hide() {
    setAway(true);
    try {
      localStorage.setItem(put, 'away');
    } catch {
      // Then it is back with the next visit.
    }
  }

  return (
    <section className="panel tour" aria-label={t('tour.title')} data-testid="tour" data-step={current ?? 'over'}>
      <div className="panel__head">
        <div>
          <h2>{t('tour.title')}</h2>
          <p className="muted" role="status">
            {current === null ? t('tour.done') : t('tour.intro')}
          </p>
        </div>
        <Button
          variant="text"
          shape="square"
          icon={<CloseIcon />}
          aria-label={t('tour.hide')}
          onClick={hide}
          data-testid="tour-hide"
        />
      </div>
      <ol className="tour__steps">
        {tourSteps.map((step, i) => (
          <li key={step} className={step === current ? 'tour__step tour__step--now' : 'tour__step'}>
            <span className="tour__mark">
              {done.has(step) ? <CheckCircleIcon aria-label={t('tour.finished')} /> : <b>{i + 1}</b>}
            </span>
            <span className="tour__text">
              <b>{t(`tour.steps.${step}`)}</b>
              {step === current && <small className="muted">{t(`tour.hints.${step}`)}</small>}
            </span>
            {step === current && (
              <ButtonLink to={ways[step]} small testId={`tour-${step}`}>
                {t('tour.goOn')}
              </ButtonLink>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}
