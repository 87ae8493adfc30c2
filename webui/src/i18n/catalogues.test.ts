import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { en } from './en';
import { chooseLanguage } from './language';
import { startEn } from './start.en';
import { startZhCN } from './start.zh-CN';
import { zhCN } from './zh-CN';

function flat(value: object, prefix = ''): Map<string, string> {
  const all = new Map<string, string>();
  for (const [key, part] of Object.entries(value)) {
    if (typeof part === 'string') all.set(prefix + key, part);
    else for (const [k, v] of flat(part as object, `${prefix}${key}.`)) all.set(k, v);
  }
  return all;
}

const gaps = (text: string) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map((m) => m[1]).sort();

const source = path.join(import.meta.dirname, '..');

/** reached are the files and what they import, themselves or through others, except on demand. */
function reached(files: string[], seen = new Set<string>()): string[] {
  for (const file of files) {
    if (seen.has(file)) continue;
    seen.add(file);
    const imports = readFileSync(file, 'utf8').matchAll(/^(?:import|export)\s(?!type\b)[^;]*?'(\.[^']*)';/gm);
    const found = [...imports].flatMap(([, name = '']) =>
      ['.ts', '.tsx', '/index.ts'].map((end) => path.join(path.dirname(file), name + end)).filter(existsSync),
    );
    reached(found, seen);
  }
  return [...seen];
}

describe('catalogues', () => {
  const zh = flat(zhCN);
  const english = flat(en);
  const start = flat(startZhCN);
  const twice = [...start.keys()].filter((key) => zh.has(key));
  for (const [key, text] of start) zh.set(key, text);
  for (const [key, text] of flat(startEn)) english.set(key, text);

  it('have no text in both parts', () => {
    expect(twice).toEqual([]);
  });

  it('have the same keys', () => {
    expect([...english.keys()].sort()).toEqual([...zh.keys()].sort());
  });

  it('have the same gaps in every text', () => {
    for (const [key, text] of zh) expect([key, gaps(english.get(key) ?? '')]).toEqual([key, gaps(text)]);
  });

  it('leave no text empty, and no Chinese in English', () => {
    english.delete('app.language'); // names the other language in itself
    for (const [key, text] of english) {
      expect([key, text.trim() === '']).toEqual([key, false]);
      // Names that WeChat itself fixes in Chinese may be quoted.
      const unquoted = text.replace(/“[^”]*”/g, '');
      expect([key, /\p{Script=Han}/u.test(unquoted)]).toEqual([key, false]);
    }
  });
});

describe('the texts of the first pages', () => {
  // Whatever these load at once is there before the texts of the other pages are.
  const first = ['main.tsx', 'pages/SignIn.tsx', 'pages/Dashboard.tsx'].map((file) => path.join(source, file));
  const start = [...flat(startZhCN).keys()];

  it('are all they write', () => {
    const lacking = reached(first).flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/['"`]([a-z]\w*\.[\w.]*)(\$\{)?/gi)]
        .filter(([, key = '']) => (key.split('.')[0] ?? '') in zhCN)
        .filter(([, key = '', open]) => !start.some((known) => (open ? known.startsWith(key) : known === key)))
        .map(([, key]) => `${path.relative(source, file)}: ${key}`),
    );
    expect(lacking).toEqual([]);
  });
});

describe('chooseLanguage', () => {
  it('follows the remembered choice, then the browser, then Chinese', () => {
    expect(chooseLanguage('en', ['zh-CN'])).toBe('en');
    expect(chooseLanguage(null, ['de', 'en-GB', 'zh'])).toBe('en');
    expect(chooseLanguage(null, ['zh-TW', 'en'])).toBe('zh-CN');
    expect(chooseLanguage('fr', ['fr'])).toBe('zh-CN');
  });
});
