import { describe, expect, it } from 'vitest';
import { checkObject, place } from './json';

const strict = (text: string): boolean => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
};

describe('checkObject', () => {
  const texts = [
    '{}',
    ' {"a":1} ',
    '{"a":-0.5e+3,"b":[true,false,null,{}],"c":{"d":"\\u4e2d\\n"}}',
    '{"a":"中文 😀"}',
    '{"a":1,}',
    '{"a":[1,2,]}',
    '{"a" 1}',
    '{"a":1 "b":2}',
    '{a:1}',
    "{'a':1}",
    '{“a”:1}',
    '{"a":“1”}',
    '{"a":01}',
    '{"a":1.}',
    '{"a":.5}',
    '{"a":+1}',
    '{"a":NaN}',
    '{"a":tru}',
    '{"a":"x\ny"}',
    '{"a":"x\ty"}',
    '{"a":"\\x"}',
    '{"a":"\\u12g4"}',
    '{"a":"open',
    '{"a":',
    '{',
    '[]',
    '"text"',
    '12',
    'null',
    '{}{}',
    '{"a":1}, ',
    '{"a":[1',
    '{,}',
    '{"a":,}',
    '{"a":[,]}',
    '{"\u00a0":1}',
    '\u00a0{}',
    '{"a":1}\u3000',
    '{"a":"\u007f\u2028"}',
    `{"a":${'['.repeat(90)}${']'.repeat(90)}}`,
  ];
  it.each(texts)('takes what JSON.parse takes and nothing else: %j', (text) => {
    expect('value' in checkObject(text)).toBe(strict(text));
  });

  it.each([
    ['{"a": 1,\n "b": 2,\n}', 'trailing', 2, 8],
    ['{\n  "店名": 张三\n}', 'value', 2, 9],
    ['{"a":1}\n{', 'extra', 2, 1],
    ['[1]', 'object', 1, 1],
    ['{"a" "b"}', 'colon', 1, 6],
    ['{"a":1 "b":2}', 'comma', 1, 8],
    ['{“a”:1}', 'quote', 1, 2],
    ['{a:1}', 'name', 1, 2],
    ['{"a":01}', 'number', 1, 6],
    ['{"a":"abc', 'string', 1, 6],
    ['{"a":"abc\n}', 'string', 1, 10],
    ['{"a":"x\ny"}', 'control', 1, 8],
    ['{"a":"\\x"}', 'escape', 1, 7],
    ['{"a":[1,2', 'end', 1, 10],
  ])('says where %j is wrong', (text, reason, line, column) => {
    expect(checkObject(text)).toMatchObject({ mistake: { reason, line, column } });
  });

  it('takes nothing for an empty object', () => {
    expect(checkObject(' \n')).toEqual({ value: {}, duplicates: [] });
  });

  it('tells names that stand twice, also when they are written differently', () => {
    expect(checkObject('{"a":1,"\\u0061":2,"b":{"a":1}}')).toMatchObject({ duplicates: ['a'] });
  });

  it('ends at a depth that no merchant needs', () => {
    expect(checkObject(`{"a":${'['.repeat(5000)}`)).toMatchObject({ mistake: { reason: 'deep' } });
  });
});

describe('place', () => {
  it('counts characters as people see them', () => {
    expect(place('ab\n😀c', 5)).toEqual({ line: 2, column: 2 });
  });
});
