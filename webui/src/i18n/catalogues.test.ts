import { describe, expect, it } from 'vitest';
import { en } from './en';
import { chooseLanguage } from './language';
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

describe('catalogues', () => {
  const zh = flat(zhCN);
  const english = flat(en);

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

describe('chooseLanguage', () => {
  it('follows the remembered choice, then the browser, then Chinese', () => {
    expect(chooseLanguage('en', ['zh-CN'])).toBe('en');
    expect(chooseLanguage(null, ['de', 'en-GB', 'zh'])).toBe('en');
    expect(chooseLanguage(null, ['zh-TW', 'en'])).toBe('zh-CN');
    expect(chooseLanguage('fr', ['fr'])).toBe('zh-CN');
  });
});
