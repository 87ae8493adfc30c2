import { useEffect, useRef, useState } from 'react';
import { grid, ticks } from '../logic/series';
import type { ChartSeries } from './Chart';

interface Props {
  times: readonly number[];
  series: readonly ChartSeries[];
  height: number;
  /** label labels the time axis. */
  label: (at: number) => string;
  /** heading names one step. */
  heading: (i: number) => string;
  write: (series: ChartSeries, i: number) => string;
  /** number labels the axis of values. */
  number: (value: number) => string;
  /** place is the step whose values are shown, -1 for none. */
  place: number;
  onPlace: (i: number) => void;
}

const foot = 20; // for the labels of the time axis
const head = 10;
const letter = 6.2; // a digit of the labels is this wide
const labelWidth = 64;

const colour = (s: ChartSeries) => ({ '--series': `var(--${s.tone})` }) as React.CSSProperties;

/** useWidth is how wide the element is, 0 before it is there. */
function useWidth() {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!box.current) return;
    const sized = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    sized.observe(box.current);
    return () => sized.disconnect();
  }, []);
  return [box, width] as const;
}

/** runs are the stretches of a line without a gap, as places. */
function runs(values: readonly (number | null)[]): number[][] {
  const all: number[][] = [];
  values.forEach((value, i) => {
    if (value === null) return;
    const last = all.at(-1);
    if (last?.at(-1) === i - 1) last.push(i);
    else all.push([i]);
  });
  return all;
}

/** Drawing draws a chart in the width it has, in the colours of the page. */
export function Drawing({ times, series, height, label, heading, write, number, place, onPlace }: Props) {
  const [box, width] = useWidth();
  const bars = series.filter((s) => s.kind === 'bar');
  const lines = series.filter((s) => s.kind === 'line');
  const stacked = times.map((_, i) => bars.reduce((sum, s) => sum + (s.values[i] ?? 0), 0));
  const steps = grid(Math.max(...stacked, ...lines.flatMap((s) => s.values.map((v) => v ?? 0))));
  const left = Math.max(...steps.map((v) => number(v).length)) * letter + 10;
  const each = Math.max(0, width - left - 2) / Math.max(1, times.length);
  const bottom = height - foot;
  const y = (value: number) => bottom - (value / (steps.at(-1) ?? 1)) * (bottom - head);
  const x = (i: number) => left + (i + 0.5) * each;
  const thick = Math.min(28, each * (times.length > 80 ? 0.9 : 0.75));
  const labelled = ticks(times, Math.max(2, Math.floor(width / labelWidth)));

  return (
    <div className="chart__drawing" ref={box} style={{ height }}>
      {width > 0 && (
        <svg
          width={width}
          height={height}
          aria-hidden="true"
          onPointerMove={(e) => {
            const i = Math.floor((e.clientX - e.currentTarget.getBoundingClientRect().left - left) / each);
            onPlace(i >= 0 && i < times.length ? i : -1);
          }}
          onPointerLeave={() => onPlace(-1)}
        >
          {steps.map((value) => (
            <g key={value}>
              <line className="chart__grid" x1={left} x2={width} y1={y(value)} y2={y(value)} />
              <text className="chart__label" x={left - 6} y={y(value) + 4} textAnchor="end">
                {number(value)}
              </text>
            </g>
          ))}
          {place >= 0 && (
            <rect className="chart__here" x={left + place * each} y={head} width={each} height={bottom - head} />
          )}
          {times.map((at, i) => {
            let under = 0;
            return (
              <g key={at}>
                {labelled.has(i) && (
                  <text className="chart__label" x={x(i)} y={height - 5} textAnchor="middle">
                    {label(at)}
                  </text>
                )}
                {bars.map((s) => {
                  const value = s.values[i] ?? 0;
                  if (value === 0) return null;
                  const from = y(under);
                  under += value;
                  const tall = Math.max(1, from - y(under));
                  return (
                    <rect
                      key={s.key}
                      className="chart__bar"
                      style={colour(s)}
                      x={x(i) - thick / 2}
                      y={from - tall}
                      width={thick}
                      height={tall}
                    />
                  );
                })}
              </g>
            );
          })}
          {lines.map((s) => (
            <g key={s.key} style={colour(s)}>
              {runs(s.values).map((run) => {
                const points = run.map((i) => `${x(i)},${y(s.values[i] ?? 0)}`).join(' ');
                const [first = 0] = run;
                const last = run.at(-1) ?? 0;
                // A line needs two points; one alone is a dot.
                return run.length === 1 ? (
                  <circle key={first} className="chart__dot" cx={x(first)} cy={y(s.values[first] ?? 0)} r="2.5" />
                ) : (
                  <g key={first}>
                    <polygon className="chart__area" points={`${x(first)},${bottom} ${points} ${x(last)},${bottom}`} />
                    <polyline className="chart__line" points={points} />
                  </g>
                );
              })}
            </g>
          ))}
        </svg>
      )}
      {place >= 0 && (
        <div
          className="chart__balloon"
          aria-hidden="true"
          style={place < times.length / 2 ? { left: x(place) + each } : { right: width - x(place) + each }}
        >
          <b>{heading(place)}</b>
          {series.map((s) => (
            <span key={s.key}>
              <i className={`dot tone--${s.tone}`} />
              {s.name}
              <b>{write(s, place)}</b>
            </span>
          ))}
        </div>
      )}
    </div>
  );
}
