import { describe, expect, it } from 'vitest';
import { plainLines, secureImage, splitList } from './text';

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

describe('secureImage', () => {
  it('lifts WeChat pictures only', () => {
    expect(secureImage('http://wx.qlogo.cn/a')).toBe('https://wx.qlogo.cn/a');
    expect(secureImage('http://localhost:8080/a.png')).toBe('http://localhost:8080/a.png');
  });
});
