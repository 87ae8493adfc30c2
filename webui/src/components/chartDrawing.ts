import { BarChart, LineChart } from 'echarts/charts';
import { AxisPointerComponent, GridComponent, TooltipComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';
import { ticks } from '../logic/series';
import type { ChartSeries } from './Chart';

use([BarChart, LineChart, GridComponent, TooltipComponent, AxisPointerComponent, CanvasRenderer]);

interface Content {
  times: readonly number[];
  series: readonly ChartSeries[];
  /** label labels the time axis. */
  label: (at: number) => string;
  /** heading names one step. */
  heading: (i: number) => string;
  write: (series: ChartSeries, i: number) => string;
  /** number labels the axes of values. */
  number: (value: number) => string;
}

/** Drawing is a chart on the page. */
export interface Drawing {
  show(content: Content): void;
  /** point shows the values of one step, none for -1. */
  point(i: number): void;
  end(): void;
}

const labelWidth = 64;

function colours() {
  const style = getComputedStyle(document.documentElement);
  return (name: string) => style.getPropertyValue(`--${name}`).trim();
}

/** balloon is what is shown beside the pointer. */
function balloon(content: Content, i: number): HTMLElement {
  const box = document.createElement('div');
  box.className = 'chart__balloon';
  const heading = document.createElement('b');
  heading.textContent = content.heading(i);
  box.append(heading);
  for (const s of content.series) {
    const line = document.createElement('span');
    const dot = document.createElement('i');
    dot.className = `dot tone--${s.tone}`;
    const value = document.createElement('b');
    value.textContent = content.write(s, i);
    line.append(dot, s.name, value);
    box.append(line);
  }
  return box;
}

/** alone tells a value that has none beside it. */
function alone(values: readonly (number | null)[], i: number): boolean {
  return values[i] != null && values[i - 1] == null && values[i + 1] == null;
}

/** draw makes an empty chart that keeps the size of its box and the colours of the page. */
export function draw(box: HTMLElement): Drawing {
  const chart = init(box, null, { renderer: 'canvas' });
  const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
  let content: Content | undefined;

  function redraw() {
    if (!content) return;
    const { times, series, label, number } = content;
    const c = colours();
    const room = Math.max(2, Math.floor(box.clientWidth / labelWidth));
    const labelled = ticks(times, room);
    const right = series.some((s) => s.axis === 'right');
    const values = (show: boolean) => ({
      type: 'value' as const,
      show,
      minInterval: 1,
      splitNumber: 3,
      axisLabel: { color: c('ink-3'), fontSize: 11, formatter: number },
      splitLine: { lineStyle: { color: c('line-2') } },
    });
    chart.setOption(
      {
        animation: false,
        grid: {
          left: 4,
          right: right ? 4 : 8,
          top: 12,
          bottom: 2,
          outerBoundsMode: 'same',
          outerBoundsContain: 'axisLabel',
        },
        tooltip: {
          trigger: 'axis',
          confine: true,
          transitionDuration: still ? 0 : 0.15,
          backgroundColor: c('paper'),
          borderColor: c('line'),
          padding: [8, 10],
          textStyle: { color: c('ink'), fontSize: 12 },
          axisPointer: { type: series.some((s) => s.kind === 'bar') ? 'shadow' : 'line', label: { show: false } },
          formatter: (at: unknown) => {
            const first = (Array.isArray(at) ? at[0] : at) as { dataIndex: number };
            return content ? balloon(content, first.dataIndex) : '';
          },
        },
        xAxis: {
          type: 'category',
          data: times.map(label),
          boundaryGap: series.some((s) => s.kind === 'bar'),
          axisLabel: {
            color: c('ink-3'),
            fontSize: 11,
            interval: (i: number) => labelled.has(i),
            hideOverlap: true,
            showMinLabel: null,
            showMaxLabel: null,
          },
          axisTick: { show: false },
          axisLine: { lineStyle: { color: c('line') } },
        },
        yAxis: [values(true), { ...values(right), splitLine: { show: false } }],
        series: series.map((s) => ({
          type: s.kind,
          name: s.name,
          data: s.kind === 'bar' ? s.values.map((v) => v || null) : [...s.values], // a zero is no bar
          yAxisIndex: s.axis === 'right' ? 1 : 0,
          itemStyle: { color: c(s.tone) },
          ...(s.kind === 'bar'
            ? { stack: 'bars', barMaxWidth: 28, barCategoryGap: times.length > 80 ? '10%' : '25%', barMinHeight: 1 }
            : {
                // A line needs two points; one alone is a dot.
                showAllSymbol: true,
                showSymbol: s.values.some((_, i) => alone(s.values, i)),
                symbolSize: (_: unknown, { dataIndex }: { dataIndex: number }) => (alone(s.values, dataIndex) ? 5 : 0),
                lineStyle: { width: 1.8, color: c(s.tone) },
                areaStyle: s.axis === 'right' ? undefined : { color: c(s.tone), opacity: 0.08 },
                connectNulls: s.axis === 'right',
              }),
        })),
      },
      { notMerge: true },
    );
  }

  const sized = new ResizeObserver(() => {
    chart.resize();
    redraw();
  });
  sized.observe(box);
  const themed = new MutationObserver(redraw);
  themed.observe(document.documentElement, { attributes: true, attributeFilter: ['theme-mode', 'class', 'style'] });
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  dark.addEventListener('change', redraw);

  return {
    show(next) {
      content = next;
      redraw();
    },
    point(i) {
      if (i < 0) chart.dispatchAction({ type: 'hideTip' });
      else chart.dispatchAction({ type: 'showTip', seriesIndex: 0, dataIndex: i });
    },
    end() {
      sized.disconnect();
      themed.disconnect();
      dark.removeEventListener('change', redraw);
      chart.dispose();
    },
  };
}
