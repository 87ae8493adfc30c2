import { useTranslation } from 'react-i18next';
import { CheckIcon } from 'tdesign-icons-react';
import { type Step, type StepState, steps } from '../../logic/wizard';

interface Props {
  at: Step;
  stateOf: (step: Step) => StepState;
  onGo: (step: Step) => void;
}

/** StepList shows the way through the wizard; every step can be gone to at any time. */
export function StepList({ at, stateOf, onGo }: Props) {
  const { t } = useTranslation();
  return (
    <nav className="steplist" aria-label={t('wizard.stepsLabel')} data-testid="wizard-steps">
      <ol>
        {steps.map((step, i) => {
          const state = stateOf(step);
          return (
            <li key={step} className={`steplist__${state}`}>
              <button
                type="button"
                aria-current={step === at ? 'step' : undefined}
                aria-label={`${i + 1} ${t(`wizard.step.${step}`)} (${t(`wizard.stepState.${state}`)})`}
                title={t(`wizard.step.${step}`)}
                onClick={() => onGo(step)}
                data-testid={`wizard-${step}`}
                data-state={state}
              >
                <b aria-hidden="true">{state === 'done' ? <CheckIcon /> : state === 'wrong' ? '!' : i + 1}</b>
                <span>{t(`wizard.step.${step}`)}</span>
              </button>
            </li>
          );
        })}
      </ol>
      <p className="steplist__now">
        <span className="faint">{t('wizard.at', { n: steps.indexOf(at) + 1, of: steps.length })}</span>{' '}
        {t(`wizard.step.${at}`)}
      </p>
    </nav>
  );
}
