/** What can be wrong with a text that should be a JSON object. */
export type JSONReason =
  | 'object'
  | 'value'
  | 'end'
  | 'extra'
  | 'name'
  | 'colon'
  | 'comma'
  | 'trailing'
  | 'string'
  | 'control'
  | 'escape'
  | 'number'
  | 'quote'
  | 'deep';

export interface JSONMistake {
  reason: JSONReason;
  /** at is the place in the text; line and column count from 1. */
  at: number;
  line: number;
  column: number;
}

export type Checked =
  | { value: Record<string, unknown> /** duplicates are names that stand twice in one object. */; duplicates: string[] }
  | { mistake: JSONMistake };

const mostDeep = 100;

class Wrong extends Error {
  constructor(
    readonly reason: JSONReason,
    readonly at: number,
  ) {
    super(reason);
  }
}

/** place tells line and column of a place in a text, counted from 1 as people do. */
export function place(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at).split('\n');
  return { line: before.length, column: [...(before.at(-1) ?? '')].length + 1 };
}

class Reader {
  private at = 0;
  readonly duplicates: string[] = [];

  constructor(private readonly text: string) {}

  whole() {
    this.space();
    if (this.text[this.at] !== '{') throw new Wrong('object', this.at);
    this.object(1);
    this.space();
    if (this.at < this.text.length) throw new Wrong('extra', this.at);
  }

  private space() {
    while (this.at < this.text.length && ' \t\r\n'.includes(this.text[this.at] ?? '')) this.at++;
  }

  private next(): string {
    this.space();
    const c = this.text[this.at];
    if (c === undefined) throw new Wrong('end', this.at);
    return c;
  }

  private value(depth: number) {
    const c = this.next();
    if (c === '{') return this.object(depth + 1);
    if (c === '[') return this.array(depth + 1);
    if (c === '"') return this.string();
    if ("“”‘’'".includes(c)) throw new Wrong('quote', this.at);
    const word = /^[\w.+-]+/.exec(this.text.slice(this.at, this.at + 400))?.[0] ?? '';
    if (word === 'true' || word === 'false' || word === 'null') this.at += word.length;
    else if (/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(word)) this.at += word.length;
    else throw new Wrong(/^[+.-]?[\d.]/.test(word) ? 'number' : 'value', this.at);
  }

  private object(depth: number) {
    if (depth > mostDeep) throw new Wrong('deep', this.at);
    this.at++;
    if (this.next() === '}') {
      this.at++;
      return;
    }
    const names = new Set<string>();
    for (;;) {
      const c = this.next();
      if ("“”‘’'".includes(c)) throw new Wrong('quote', this.at);
      if (c !== '"') throw new Wrong('name', this.at);
      const from = this.at;
      this.string();
      const name = JSON.parse(this.text.slice(from, this.at)) as string;
      if (names.has(name)) this.duplicates.push(name);
      names.add(name);
      if (this.next() !== ':') throw new Wrong('colon', this.at);
      this.at++;
      this.value(depth);
      if (this.more('}')) return;
    }
  }

  private array(depth: number) {
    if (depth > mostDeep) throw new Wrong('deep', this.at);
    this.at++;
    if (this.next() === ']') {
      this.at++;
      return;
    }
    for (;;) {
      this.value(depth);
      if (this.more(']')) return;
    }
  }

  /** more goes past a comma, or past the end of a list; then it is true. */
  private more(end: string): boolean {
    const c = this.next();
    if (c === end) {
      this.at++;
      return true;
    }
    if (c !== ',') throw new Wrong('comma', this.at);
    const comma = this.at++;
    if (this.next() === end) throw new Wrong('trailing', comma);
    return false;
  }

  private string() {
    const from = this.at++;
    for (;;) {
      const c = this.text[this.at];
      if (c === undefined) throw new Wrong('string', from);
      if (c === '"') {
        this.at++;
        return;
      }
      if (c < ' ') throw new Wrong(c === '\n' || c === '\r' ? this.broken(from) : 'control', this.at);
      if (c === '\\') {
        const rest = this.text.slice(this.at + 1, this.at + 6);
        if (/^["\\/bfnrt]/.test(rest)) this.at++;
        else if (/^u[0-9a-fA-F]{4}/.test(rest)) this.at += 5;
        else throw new Wrong('escape', this.at);
      }
      this.at++;
    }
  }

  /** broken says what a line break in a text means: mostly that its quotation mark was forgotten. */
  private broken(from: number): JSONReason {
    return this.text.indexOf('"', from + 1) < 0 ? 'string' : 'control';
  }
}

/** checkObject reads a text as a JSON object, as strictly as JSON.parse, and tells where it is wrong. Empty is {}. */
export function checkObject(text: string): Checked {
  if (text.trim() === '') return { value: {}, duplicates: [] };
  const reader = new Reader(text);
  try {
    reader.whole();
  } catch (thrown) {
    if (!(thrown instanceof Wrong)) throw thrown;
    return { mistake: { reason: thrown.reason, at: thrown.at, ...place(text, thrown.at) } };
  }
  return { value: JSON.parse(text) as Record<string, unknown>, duplicates: reader.duplicates };
}
