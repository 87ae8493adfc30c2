export interface Line {
  kind: 'same' | 'added' | 'gone';
  text: string;
}

/** gap is how many equal lines were left out. */
export type Shown = Line | { kind: 'gap'; count: number };

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return Object.fromEntries(entries.map(([key, part]) => [key, sorted(part)]));
}

/** settled writes JSON with its names in order and one value a line, so that equal values read equal. */
export function settled(text: string): string {
  try {
    return JSON.stringify(sorted(JSON.parse(text)), null, 2);
  } catch {
    return text;
  }
}

const mostCells = 4_000_000;

/** diffLines compares two texts line by line, by the longest sequence they have in common. */
export function diffLines(before: string, after: string): Line[] {
  const a = before.split('\n');
  const b = after.split('\n');
  let from = 0;
  while (from < a.length && from < b.length && a[from] === b[from]) from++;
  let end = 0;
  while (end < a.length - from && end < b.length - from && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const same = (lines: string[]): Line[] => lines.map((text) => ({ kind: 'same', text }));
  const x = a.slice(from, a.length - end);
  const y = b.slice(from, b.length - end);
  return [...same(a.slice(0, from)), ...middle(x, y), ...same(a.slice(a.length - end))];
}

function middle(x: string[], y: string[]): Line[] {
  const gone = (text: string): Line => ({ kind: 'gone', text });
  const added = (text: string): Line => ({ kind: 'added', text });
  if (x.length * y.length > mostCells) return [...x.map(gone), ...y.map(added)]; // too long to be compared well
  const width = y.length + 1;
  const common = new Uint32Array((x.length + 1) * width); // of what follows
  const at = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = x.length - 1; i >= 0; i--) {
    for (let j = y.length - 1; j >= 0; j--) {
      common[i * width + j] = x[i] === y[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: Line[] = [];
  let i = 0;
  let j = 0;
  while (i < x.length || j < y.length) {
    const old = x[i];
    const now = y[j];
    if (old !== undefined && old === now) {
      lines.push({ kind: 'same', text: old });
      i++;
      j++;
    } else if (old !== undefined && (now === undefined || at(i + 1, j) >= at(i, j + 1))) {
      lines.push(gone(old));
      i++;
    } else {
      lines.push(added(now ?? ''));
      j++;
    }
  }
  return lines;
}

/** folded leaves out equal lines that are further than near from a difference. */
export function folded(lines: readonly Line[], near = 2): Shown[] {
  const close = (i: number) => lines.slice(Math.max(0, i - near), i + near + 1).some((l) => l.kind !== 'same');
  const shown: Shown[] = [];
  for (const [i, line] of lines.entries()) {
    const last = shown.at(-1);
    if (close(i)) shown.push(line);
    else if (last?.kind === 'gap') last.count++;
    else shown.push({ kind: 'gap', count: 1 });
  }
  return shown;
}
