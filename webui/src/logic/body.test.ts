import { describe, expect, it } from 'vitest';
import { bodyParts, prettyBody } from './body';

describe('prettyBody', () => {
  it('indents JSON, with empty lists and objects on one line', () => {
    expect(prettyBody('{"a":1,"b":{"c":[true,null]},"d":{},"e":[]}')).toBe(
      '{\n  "a": 1,\n  "b": {\n    "c": [\n      true,\n      null\n    ]\n  },\n  "d": {},\n  "e": []\n}',
    );
  });
  it('keeps every digit of a message id', () => {
    expect(prettyBody('{"MsgId":23456789012345678}')).toContain('23456789012345678');
    expect(prettyBody('{"n":-1.50e+20}')).toContain('-1.50e+20');
  });
  it('makes escaped letters readable and leaves quotes escaped', () => {
    expect(prettyBody('{"Content":"\\u4f60\\u597d \\"{,:}\\""}')).toBe('{\n  "Content": "你好 \\"{,:}\\""\n}');
  });
  it('indents XML and keeps texts on the line of their element', () => {
    expect(prettyBody('<xml><A><![CDATA[x<y]]></A><B>1</B></xml>')).toBe(
      '<xml>\n  <A><![CDATA[x<y]]></A>\n  <B>1</B>\n</xml>',
    );
    expect(prettyBody('<?xml version="1.0"?><a><b/></a>')).toBe('<?xml version="1.0"?>\n<a>\n  <b/>\n</a>');
  });
  it('leaves broken JSON and plain text as they came', () => {
    expect(prettyBody('{"a":')).toBe('{"a":');
    expect(prettyBody(' hello ')).toBe(' hello ');
  });
});

describe('bodyParts', () => {
  it('tells names from texts and numbers', () => {
    const kinds = (body: string) => bodyParts(body).filter((p) => p.kind === 'name' || p.kind === 'number');
    expect(kinds('{"a":"b","c":2}').map((p) => p.text)).toEqual(['"a"', '"c"', '2']);
    expect(kinds('<a><b>2</b></a>').map((p) => p.text)).toEqual(['<a>', '<b>', '2', '</b>', '</a>']);
  });
  it('shows a very long body in one colour', () => {
    expect(bodyParts(JSON.stringify({ a: 'x'.repeat(300_000) }))).toHaveLength(1);
  });
});
