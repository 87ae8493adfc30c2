import { useTranslation } from 'react-i18next';
import { isSubmissionState, segments, submissionStates, submissionTone } from '../logic/states';

interface BarProps {
  counts: Record<string, number>;
  total: number;
  thin?: boolean;
}

/** StateBar is one stacked bar: how many merchants are done, in review, waiting for a person, in trouble. */
export function StateBar({ counts, total, thin }: BarProps) {
  const { t } = useTranslation();
  const parts = segments(counts, total);
  const words = parts.map((p) => `${t(`tone.${p.tone}`)} ${p.count}`).join(', ');
  return (
    <div className={thin ? 'bar bar--thin' : 'bar'} role="img" aria-label={words} title={words} data-testid="state-bar">
      {parts.map((p) => (
        <span key={p.tone} className={`bar__part tone--${p.tone}`} style={{ flexGrow: p.percent }} />
      ))}
    </div>
  );
}

/** ToneLegend says what the colours of a bar mean, with their counts. */
export function ToneLegend({ counts, total }: BarProps) {
  const { t } = useTranslation();
  return (
    <ul className="legend">
      {segments(counts, total).map((p) => (
        <li key={p.tone}>
          <i className={`dot tone--${p.tone}`} aria-hidden="true" />
          {t(`tone.${p.tone}`)} <b>{p.count}</b>
        </li>
      ))}
    </ul>
  );
}

interface PickProps {
  counts: Record<string, number>;
  total: number;
  picked: string;
  onPick: (state: string) => void;
}

/** StatePicker filters by state and shows the counts on the way. */
export function StatePicker({ counts, total, picked, onPick }: PickProps) {
  const { t } = useTranslation();
  const present = submissionStates.filter((s) => (counts[s] ?? 0) > 0 || s === picked);
  return (
    <fieldset className="chips" aria-label={t('common.filter')}>
      <button
        type="button"
        className="chip"
        aria-pressed={picked === ''}
        onClick={() => onPick('')}
        data-testid="pick-all"
      >
        {t('rollouts.allStates')} <b>{total}</b>
      </button>
      {present.map((s) => (
        <button
          type="button"
          key={s}
          className="chip"
          aria-pressed={picked === s}
          onClick={() => onPick(picked === s ? '' : s)}
          data-testid={`pick-${s}`}
        >
          <i className={`dot tone--${submissionTone(s)}`} aria-hidden="true" />
          {isSubmissionState(s) ? t(`state.${s}`) : s} <b>{counts[s] ?? 0}</b>
        </button>
      ))}
    </fieldset>
  );
}
