/** Window is when a release window is open, as far as it can be said in a few words. */
export interface Window {
  /** days of the week, 0 is Sunday; null when the expression names days of the month or months. */
  weekdays: number[] | null;
  /** hours are whole hours in a row, both inside the window. */
  hours: [from: number, to: number][];
  /** brief says that only some minutes of an hour are open, which is easily missed. */
  brief: boolean;
}

interface Field {
  least: number;
  most: number;
  names?: readonly string[];
}

const months = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'] as const;
const weekdays = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'] as const;

const fields: readonly Field[] = [
  { least: 0, most: 59 },
  { least: 0, most: 23 },
  { least: 1, most: 31 },
  { least: 1, most: 12, names: months },
  { least: 0, most: 6, names: weekdays },
];

function numberOf(text: string, field: Field): number | null {
  const named = field.names?.indexOf(text.toUpperCase()) ?? -1;
  if (named >= 0) return named + field.least;
  if (!/^\d{1,2}$/.test(text)) return null;
  const n = Number(text);
  return n >= field.least && n <= field.most ? n : null;
}

function part(text: string, field: Field): number[] | null {
  const [range = '', step, more] = text.split('/');
  if (more !== undefined || (step !== undefined && !/^[1-9]\d?$/.test(step))) return null;
  let from = field.least;
  let to = field.most;
  if (range !== '*' && range !== '?') {
    const [low = '', high, third] = range.split('-');
    const first = numberOf(low, field);
    const last = high === undefined ? (step === undefined ? first : field.most) : numberOf(high, field);
    if (third !== undefined || first === null || last === null || last < first) return null;
    from = first;
    to = last;
  }
  const all: number[] = [];
  for (let n = from; n <= to; n += Number(step ?? 1)) all.push(n);
  return all;
}

function values(text: string, field: Field): number[] | null {
  const all = new Set<number>();
  for (const one of text.split(',')) {
    const some = part(one, field);
    if (some === null) return null;
    for (const n of some) all.add(n);
  }
  return [...all].sort((a, b) => a - b);
}

/** readWindow reads "minute hour day month weekday" as the server does; null: it is no such expression. */
export function readWindow(expression: string): Window | null {
  const texts = expression.trim().split(/\s+/);
  if (texts.length !== fields.length) return null;
  const read = fields.map((field, i) => values(texts[i] ?? '', field));
  const [minutes, hours, days, months, week] = read;
  if (!minutes || !hours || !days || !months || !week) return null;
  const rows: [number, number][] = [];
  for (const hour of hours) {
    const last = rows.at(-1);
    if (last && last[1] === hour - 1) last[1] = hour;
    else rows.push([hour, hour]);
  }
  return {
    weekdays: days.length === 31 && months.length === 12 ? week : null,
    hours: rows,
    brief: minutes.length < 60,
  };
}
