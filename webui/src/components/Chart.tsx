import { type KeyboardEvent, type ReactNode, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { axisTime, stepTime } from '../logic/series';
import type { Tone } from '../logic/states';
import { Drawing } from './Drawing';
import { EmptyNote } from './QueryView';

/** ChartSeries is one row of numbers, one for each time; null where nothing is known. */
export interface ChartSeries {
  key: string;
  name: string;
  tone: Tone;
  values: readonly (number | null)[];
  /** kind: bars of all series stand on each other; lines are on their own. */
  kind: 'bar' | 'line';
  /** format writes a value with its unit, for people. */
  format?: (value: number) => string;
  /** total stands beside the name, below the chart. */
  total?: ReactNode;
}

interface Props {
  /** label says what the chart is of. */
  label: string;
  /** summary says in a sentence what it shows, for those who cannot see it. */
  summary?: string;
  /** times are the beginnings of even steps, in milliseconds. */
  times: readonly number[];
  step: number;
  series: readonly ChartSeries[];
  /** empty is shown instead where there is nothing but zeros. */
  empty?: ReactNode;
  height?: number;
  testId?: string;
}

export function plainNumber(value: number, language: string): string {
  return new Intl.NumberFormat(language, { maximumFractionDigits: Math.abs(value) < 10 ? 2 : 0 }).format(value);
}

function Table({ label, times, step, series, write }: Props & { write: Write }) {
  const { t, i18n } = useTranslation();
  return (
    <div className="chart__table" data-testid="chart-table">
      <table aria-label={label}>
        <thead>
          <tr>
            <th scope="col">{t('chart.time')}</th>
            {series.map((s) => (
              <th key={s.key} scope="col">
                {s.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {times
            .map((at, i) => (
              <tr key={at}>
                <th scope="row">{stepTime(at, step, i18n.language)}</th>
                {series.map((s) => (
                  <td key={s.key}>{write(s, i)}</td>
                ))}
              </tr>
            ))
            .reverse()}
        </tbody>
      </table>
    </div>
  );
}

type Write = (series: ChartSeries, i: number) => string;

/** Chart draws numbers over time, as bars and lines. */
export function Chart(props: Props) {
  const { label, summary, times, step, series, empty, height = 200, testId = 'chart' } = props;
  const { t, i18n } = useTranslation();
  const language = i18n.language;
  const [place, setPlace] = useState(-1);
  const [told, setTold] = useState('');
  const [asTable, setAsTable] = useState(false);
  const summaryId = useId();

  const write: Write = (s, i) => {
    const value = s.values[i];
    if (value === null || value === undefined) return '—';
    return s.format ? s.format(value) : plainNumber(value, language);
  };
  const tell = (i: number) =>
    [stepTime(times[i] ?? 0, step, language), ...series.map((s) => `${s.name} ${write(s, i)}`)].join('; ');

  const nothing = series.every((s) => s.values.every((v) => !v));

  function move(event: KeyboardEvent) {
    const last = times.length - 1;
    const from = place < 0 ? last + 1 : place;
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = Math.min(last, Math.max(0, to));
    setPlace(next);
    setTold(tell(next));
  }

  return (
    <figure className="chart" data-testid={testId}>
      {nothing ? (
        <div className="chart__empty" style={{ minHeight: height }}>
          {empty ?? <EmptyNote title={t('chart.empty')} />}
        </div>
      ) : asTable ? (
        <Table {...props} write={write} />
      ) : (
        <div
          className="chart__canvas"
          role="img"
          aria-label={label}
          aria-describedby={summaryId}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys walk through the values.
          tabIndex={0}
          onKeyDown={move}
          onBlur={() => {
            setPlace(-1);
            setTold('');
          }}
        >
          <Drawing
            times={times}
            series={series}
            height={height}
            label={(at) => axisTime(at, language)}
            heading={(i) => stepTime(times[i] ?? 0, step, language)}
            write={write}
            number={(value) => new Intl.NumberFormat(language, { notation: 'compact' }).format(value)}
            place={Math.min(place, times.length - 1)}
            onPlace={setPlace}
          />
        </div>
      )}
      <span className="offscreen" id={summaryId}>
        {summary} {t('chart.keys')}
      </span>
      <span className="offscreen" aria-live="polite">
        {told}
      </span>
      {!nothing && (
        <figcaption className="chart__foot">
          <ul className="legend">
            {series.map((s) => (
              <li key={s.key}>
                <i className={`dot tone--${s.tone} ${s.kind === 'line' ? 'dot--line' : ''}`} aria-hidden="true" />
                {s.name} {s.total !== undefined && <b>{s.total}</b>}
              </li>
            ))}
          </ul>
          <button
            type="button"
            className="chart__switch"
            aria-pressed={asTable}
            onClick={() => setAsTable(!asTable)}
            data-testid="chart-as-table"
          >
            {t('chart.asTable')}
          </button>
        </figcaption>
      )}
    </figure>
  );
}
