import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { axisTime, stepTime } from '../logic/series';
import type { Tone } from '../logic/states';
import type { Drawing } from './chartDrawing';
import { EmptyNote } from './QueryView';

/** ChartSeries is one row of numbers, one for each time; null where nothing is known. */
export interface ChartSeries {
  key: string;
  name: string;
  tone: Tone;
  values: readonly (number | null)[];
  /** kind: bars of all series stand on each other; lines are on their own. */
  kind: 'bar' | 'line';
  /** axis: a series with other units is measured on the right. */
  axis?: 'left' | 'right';
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

/** Chart draws numbers over time, as bars and lines. The part that draws is loaded when the first chart is shown. */
export function Chart(props: Props) {
  const { label, summary, times, step, series, empty, height = 200, testId = 'chart' } = props;
  const { t, i18n } = useTranslation();
  const language = i18n.language;
  const canvas = useRef<HTMLDivElement>(null);
  const drawing = useRef<Drawing>(undefined);
  const place = useRef(-1);
  const [told, setTold] = useState('');
  const [asTable, setAsTable] = useState(false);
  const [failed, setFailed] = useState(false);
  const [drawn, setDrawn] = useState(false);
  const summaryId = useId();

  const write: Write = (s, i) => {
    const value = s.values[i];
    if (value === null || value === undefined) return '—';
    return s.format ? s.format(value) : plainNumber(value, language);
  };
  const tell = (i: number) =>
    [stepTime(times[i] ?? 0, step, language), ...series.map((s) => `${s.name} ${write(s, i)}`)].join('; ');

  const nothing = series.every((s) => s.values.every((v) => !v));
  const table = asTable || failed;
  const shown = !nothing && !table;

  const content = {
    times,
    series,
    label: (at: number) => axisTime(at, language),
    heading: (i: number) => stepTime(times[i] ?? 0, step, language),
    write,
    number: (value: number) => new Intl.NumberFormat(language, { notation: 'compact' }).format(value),
  };
  const latest = useRef(content);
  latest.current = content;

  useEffect(() => {
    const box = canvas.current;
    if (!shown || !box) return;
    let over = false;
    import('./chartDrawing').then(
      ({ draw }) => {
        if (over) return;
        drawing.current = draw(box);
        drawing.current.show(latest.current);
        setDrawn(true);
      },
      () => setFailed(true),
    );
    return () => {
      over = true;
      drawing.current?.end();
      drawing.current = undefined;
      setDrawn(false);
    };
  }, [shown]);

  const news = JSON.stringify([language, times, series.map((s) => [s.name, s.tone, s.values])]);
  useEffect(() => {
    if (news) drawing.current?.show(latest.current);
  }, [news]);

  function move(event: KeyboardEvent) {
    const last = times.length - 1;
    const from = place.current < 0 ? last + 1 : place.current;
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    place.current = Math.min(last, Math.max(0, to));
    drawing.current?.point(place.current);
    setTold(tell(place.current));
  }

  return (
    <figure className="chart" data-testid={testId} data-drawn={drawn || undefined}>
      {nothing ? (
        <div className="chart__empty" style={{ minHeight: height }}>
          {empty ?? <EmptyNote title={t('chart.empty')} />}
        </div>
      ) : table ? (
        <Table {...props} write={write} />
      ) : (
        <div
          ref={canvas}
          className="chart__canvas"
          style={{ height }}
          role="img"
          aria-label={label}
          aria-describedby={summaryId}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys walk through the values.
          tabIndex={0}
          onKeyDown={move}
          onBlur={() => {
            place.current = -1;
            setTold('');
            drawing.current?.point(-1);
          }}
        />
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
          {!failed && (
            <button
              type="button"
              className="chart__switch"
              aria-pressed={asTable}
              onClick={() => setAsTable(!asTable)}
              data-testid="chart-as-table"
            >
              {t('chart.asTable')}
            </button>
          )}
        </figcaption>
      )}
    </figure>
  );
}
