import { describe, expect, it } from 'vitest';
import { fieldErrors, Problem, problemFrom } from './problem';

describe('problemFrom', () => {
  it('keeps what WeChat said', () => {
    const p = problemFrom(
      { status: 502, headers: new Headers({ 'X-Request-Id': 'r1' }) },
      {
        title: 'Refused',
        detail: 'd',
        code: 'wechat_refused',
        wechat: { errcode: 85009, errmsg: 'm', rid: 'x', hint: 'h' },
      },
    );
    expect(p.wechat).toEqual({ errcode: 85009, errmsg: 'm', rid: 'x', hint: 'h' });
    expect([p.status, p.code, p.requestId]).toEqual([502, 'wechat_refused', 'r1']);
  });
  it('survives a proxy that answers HTML', () => {
    const p = problemFrom({ status: 504, headers: new Headers() }, '<html>');
    expect([p.code, p.title, p.errors.length]).toEqual(['http_504', '', 0]);
  });
  it('reads Retry-After', () => {
    expect(problemFrom({ status: 429, headers: new Headers({ 'Retry-After': '90' }) }, {}).retryAfterSeconds).toBe(90);
  });
});

describe('fieldErrors', () => {
  it('gives each error to the deepest field of the form that owns it', () => {
    const p = new Problem({
      status: 422,
      code: 'validation',
      title: '',
      detail: '',
      errors: [
        { location: 'body.domains.request[0]', message: 'bad' },
        { location: 'body.domains.udp', message: 'worse' },
        { location: 'body.strategy', message: 'odd' },
      ],
    });
    expect(fieldErrors(p, ['domains', 'domains.request'])).toEqual({
      'domains.request': 'bad',
      domains: 'worse',
      '': 'strategy: odd',
    });
  });
});
