/** mostBytes is the largest file that the server takes. */
export const mostBytes = 32 * 1024 * 1024;

/** size says a number of bytes for people. */
export function size(bytes: number, language: string): string {
  const [n, unit] =
    bytes < 1024
      ? [bytes, 'byte']
      : bytes < 1024 * 1024
        ? [bytes / 1024, 'kilobyte']
        : [bytes / 1024 / 1024, 'megabyte'];
  return new Intl.NumberFormat(language, {
    style: 'unit',
    unit: unit as string,
    unitDisplay: 'short',
    maximumFractionDigits: (n as number) < 10 && unit !== 'byte' ? 1 : 0,
  }).format(n as number);
}

/** unfit says why a file cannot be sent at all. */
export function unfit(bytes: number): 'empty' | 'tooLarge' | null {
  if (bytes === 0) return 'empty';
  return bytes > mostBytes ? 'tooLarge' : null;
}

interface Run {
  state: string;
  dry_run: boolean;
  bytes: number;
  bytes_done: number;
  changed: number;
}

/** percent is how far an import has come, 100 only when it is over. */
export function percent(run: Pick<Run, 'state' | 'bytes' | 'bytes_done'>): number {
  if (run.state !== 'running') return 100;
  if (run.bytes <= 0) return 0;
  return Math.min(99, Math.floor((run.bytes_done / run.bytes) * 100));
}

/** stepOf is which step of the way an import stands for. */
export function stepOf(run: Pick<Run, 'dry_run'> | undefined): 'file' | 'check' | 'result' {
  if (!run) return 'file';
  return run.dry_run ? 'check' : 'result';
}

interface Held {
  name: string;
  size: number;
}

/** confirmable says whether a trial run can be followed by the import with the file at hand. */
export function confirmable(
  run: Run & { name: string },
  held: Held | null,
): 'ready' | 'nothing' | 'again' | 'other' | 'no' {
  if (!run.dry_run || run.state !== 'completed') return 'no';
  if (run.changed === 0) return 'nothing';
  if (!held) return 'again';
  return held.name.slice(0, 200) === run.name && held.size === run.bytes ? 'ready' : 'other';
}

/** template is a file to begin with. The byte order mark makes spreadsheets read it as UTF-8. */
export const template =
  '\ufeffappid,biz_id,labels,ext\r\nwx0123456789abcdef,shop-1001,vip;华东,"{""shop"":""1001""}"\r\n';
