/** kept makes a format once for each language: making one takes longer than using it a hundred times. */
function kept<F>(make: (language: string) => F): (language: string) => F {
  const made = new Map<string, F>();
  return (language) => {
    const format = made.get(language) ?? make(language);
    made.set(language, format);
    return format;
  };
}

const relativeFormat = kept((language) => new Intl.RelativeTimeFormat(language, { numeric: 'auto', style: 'short' }));

const dateFormat = (seconds: boolean) =>
  kept(
    (language) =>
      new Intl.DateTimeFormat(language, {
        year: 'numeric',
        month: language.startsWith('zh') ? 'numeric' : 'short',
        day: 'numeric',
        hour: '2-digit',
        minute: '2-digit',
        second: seconds ? '2-digit' : undefined,
        hourCycle: 'h23',
      }),
  );
const toTheSecond = dateFormat(true);
const toTheMinute = dateFormat(false);

const units: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
];

/** relative says how far a time is from now in the largest whole unit: "3 分钟前", "in 2 hours". */
export function relative(at: number, now: number, language: string): string {
  const seconds = Math.round((at - now) / 1000);
  const format = relativeFormat(language);
  for (const [unit, size] of units) {
    if (Math.abs(seconds) >= size || unit === 'second') return format.format(Math.trunc(seconds / size), unit);
  }
  return '';
}

/** duration says a length of time in its largest two units. */
export function duration(ms: number, language: string): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'day'],
    [Math.floor((seconds % 86_400) / 3600), 'hour'],
    [Math.floor((seconds % 3600) / 60), 'minute'],
    [seconds % 60, 'second'],
  ];
  const from = parts.findIndex(([n]) => n > 0);
  const shown = from < 0 ? parts.slice(3) : parts.slice(from, from + 2).filter(([n]) => n > 0);
  return shown
    .map(([n, unit]) => new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'short' }).format(n))
    .join(' ');
}

/** absolute is the whole date, with the year in full and the month never to be taken for the day, and the time. */
export function absolute(at: number, language: string, seconds = true): string {
  return (seconds ? toTheSecond : toTheMinute)(language).format(at);
}

const near = 7 * 86_400_000;

/** told is how a list tells a time: how far away it is within a week, else its date. */
export function told(at: number, now: number, language: string): string {
  return Math.abs(at - now) < near ? relative(at, now, language) : absolute(at, language, false);
}
