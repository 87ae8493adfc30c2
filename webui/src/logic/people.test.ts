import { describe, expect, it } from 'vitest';
import { codeFits, deviceOf, keyExpiry, keyState, lastAdmin, madePassword, passwordFits, usernameFits } from './people';

describe('passwordFits', () => {
  it('counts characters, not bytes', () => {
    expect(passwordFits('123456789')).toBe(false);
    expect(passwordFits('一二三四五六七八九十')).toBe(true);
    expect(passwordFits('😀'.repeat(9))).toBe(false);
    expect(passwordFits('x'.repeat(128))).toBe(true);
    expect(passwordFits('x'.repeat(129))).toBe(false);
  });
});

describe('usernameFits', () => {
  it('takes names and mail addresses, and nothing that could be mistaken', () => {
    for (const name of ['anna', '王五', 'a.b@example.com', 'x'])
      expect([name, usernameFits(name)]).toEqual([name, true]);
    for (const name of ['', '.a', 'a b', 'a/b', 'x'.repeat(65)])
      expect([name, usernameFits(name)]).toEqual([name, false]);
  });
});

describe('madePassword', () => {
  it('is long enough, without letters that are mistaken for others', () => {
    const password = madePassword();
    expect(password).toMatch(/^([a-km-np-z2-9]{5}-){3}[a-km-np-z2-9]{5}$/);
    expect(passwordFits(password)).toBe(true);
    expect(madePassword((n) => new Uint8Array(n).fill(255))).toBe('99999-99999-99999-99999');
  });
});

describe('lastAdmin', () => {
  it('is the only administrator', () => {
    const anna = { id: '1', role: 'admin' as const };
    const bert = { id: '2', role: 'viewer' as const };
    expect(lastAdmin(anna, [anna, bert])).toBe(true);
    expect(lastAdmin(bert, [anna, bert])).toBe(false);
    expect(lastAdmin(anna, [anna, { ...bert, role: 'admin' }])).toBe(false);
  });
});

describe('codeFits', () => {
  it('takes six digits however they are grouped, and recovery codes where they count', () => {
    expect(codeFits('123 456', false)).toBe(true);
    expect(codeFits('12345', true)).toBe(false);
    expect(codeFits('ABCD-efgh-jkmn-2345', true)).toBe(true);
    expect(codeFits('abcd-efgh-jkmn-2345', false)).toBe(false);
    expect(codeFits('', true)).toBe(false);
  });
});

describe('deviceOf', () => {
  it('names browser and system', () => {
    const chrome =
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36';
    expect(deviceOf(chrome)).toBe('Chrome · Windows');
    expect(deviceOf(`${chrome} Edg/140.0`)).toBe('Edge · Windows');
    expect(
      deviceOf('Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1'),
    ).toBe('Safari · iOS');
    expect(deviceOf('Mozilla/5.0 (Linux; Android 14) Chrome/120 Mobile Safari/537.36 MicroMessenger/8.0')).toBe(
      'WeChat · Android',
    );
    expect(deviceOf('my-script 1.0')).toBe('my-script 1.0');
    expect(deviceOf('')).toBe('');
  });
});

describe('keyExpiry', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  it('counts days from now, or is the date given', () => {
    expect(keyExpiry('30', '', now)).toBe('2026-01-31T00:00:00.000Z');
    expect(keyExpiry('never', '', now)).toBeNull();
    expect(keyExpiry('own', '2026-02-01T00:00:00Z', now)).toBe('2026-02-01T00:00:00.000Z');
  });
  it('takes no date that is over or is none', () => {
    expect(keyExpiry('own', '2025-12-31T00:00:00Z', now)).toBeUndefined();
    expect(keyExpiry('own', '', now)).toBeUndefined();
  });
  it('warns in the last week', () => {
    expect(keyState(null, now)).toBe('good');
    expect(keyState('2026-01-08T00:00:01Z', now)).toBe('good');
    expect(keyState('2026-01-07T00:00:00Z', now)).toBe('ending');
    expect(keyState('2026-01-01T00:00:00Z', now)).toBe('over');
  });
});
