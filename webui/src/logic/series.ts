/** fillSteps lays what is known on an even grid, with empty in the steps that nothing is known of. Times are milliseconds. */
export function fillSteps<T>(
  known: readonly { at: number; value: T }[],
  step: number,
  from: number,
  until: number,
  empty: T,
) {
  const values = new Map(known.map(({ at, value }) => [Math.floor(at / step) * step, value]));
  const times: number[] = [];
  for (let at = Math.floor(from / step) * step; at < until; at += step) times.push(at);
  return { times, values: times.map((at) => values.get(at) ?? empty) };
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const spans = [1, 2, 5, 10, 15, 30]
  .map((n) => n * minute)
  .concat(
    [1, 2, 3, 4, 6, 12].map((n) => n * hour),
    day,
  );

/** sinceMidnight is how far the clock on the wall has come that day. */
function sinceMidnight(at: number): number {
  const date = new Date(at);
  return date.getHours() * hour + date.getMinutes() * minute + date.getSeconds() * 1000;
}

/** ticks are the places on an even time axis that get a label: at most that many, at round times of the reader's clock. */
export function ticks(times: readonly number[], most: number): Set<number> {
  const first = times[0] ?? 0;
  const length = (times.at(-1) ?? 0) - first;
  let span = spans.find((s) => length / s <= most) ?? day;
  while (length / span > most) span += day;
  const days = Math.max(1, Math.round(span / day));
  const chosen = new Set<number>();
  let last = Number.NaN; // the round time before
  times.forEach((at, i) => {
    const past = sinceMidnight(at);
    const midnight = at - past;
    const round = midnight + Math.floor(past / Math.min(span, day)) * Math.min(span, day);
    if (i > 0 && round !== last) {
      const dayNumber = Math.round((midnight - new Date(midnight).getTimezoneOffset() * minute) / day);
      if (span <= day || dayNumber % days === 0) chosen.add(i);
    }
    last = round;
  });
  return chosen;
}

/** grid are even steps from zero to at least the most, about three of them, whole and easy to read. */
export function grid(most: number): number[] {
  const rough = Math.max(1, most / 3);
  const ten = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * ten).find((n) => n >= rough) ?? rough;
  return Array.from({ length: Math.max(1, Math.ceil(most / step)) + 1 }, (_, i) => i * step);
}

/** dayName is a day with the month never to be taken for the day. */
function dayName(at: number, language: string): string {
  const month = language.startsWith('zh') ? 'numeric' : 'short';
  return new Intl.DateTimeFormat(language, { month, day: 'numeric' }).format(at);
}

function clock(at: number, language: string): string {
  return new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(at);
}

/** axisTime labels a time axis: the time, and the date at midnight. */
export function axisTime(at: number, language: string): string {
  return sinceMidnight(at) < minute ? dayName(at, language) : clock(at, language);
}

/** stepTime names one step of a time axis, with its date. */
export function stepTime(at: number, step: number, language: string): string {
  const weekday = new Intl.DateTimeFormat(language, { weekday: 'short' }).format(at);
  const date = `${dayName(at, language)} ${weekday}`;
  return step >= day ? date : `${date} ${clock(at, language)}–${clock(at + step, language)}`;
}
