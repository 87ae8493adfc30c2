import { describe, expect, it } from 'vitest';
import { plainLines, prettyBody, secureImage, splitList } from './text';

describe('plainLines', () => {
  it('breaks at <br> and drops every tag', () => {
    expect(plainLines('1:账号信息不符:<br>(1):名称<b>违规</b><br/>')).toEqual(['1:账号信息不符:', '(1):名称违规']);
  });
  it('cannot make a tag out of an escaped one twice', () => {
    expect(plainLines('&amp;lt;script&amp;gt;')).toEqual(['&lt;script&gt;']);
  });
});

describe('splitList', () => {
  it('takes lines, commas and full-width commas, without doubles', () => {
    expect(splitList('a, b\nc，a；d  ')).toEqual(['a', 'b', 'c', 'd']);
    expect(splitList('  ')).toEqual([]);
  });
});

describe('prettyBody', () => {
  it('indents JSON', () => {
    expect(prettyBody('{"a":1}')).toBe('{\n  "a": 1\n}');
  });
  it('indents XML and keeps texts on the line of their element', () => {
    expect(prettyBody('<xml><A><![CDATA[x<y]]></A><B>1</B></xml>')).toBe(
      '<xml>\n  <A><![CDATA[x<y]]></A>\n  <B>1</B>\n</xml>',
    );
  });
  it('leaves broken JSON as it came', () => {
    expect(prettyBody('{"a":')).toBe('{"a":');
  });
});

describe('secureImage', () => {
  it('lifts WeChat pictures only', () => {
    expect(secureImage('http://wx.qlogo.cn/a')).toBe('https://wx.qlogo.cn/a');
    expect(secureImage('http://localhost:8080/a.png')).toBe('http://localhost:8080/a.png');
  });
});
