import { describe, expect, it } from 'vitest';
import { flags, networkLists, specialIds, versionFacts } from './authorizer';

describe('versionFacts', () => {
  it("reads WeChat's names and seconds", () => {
    expect(versionFacts({ exp_version: '1.2', exp_desc: 'd', exp_time: 1_750_000_000 })).toEqual({
      version: '1.2',
      desc: 'd',
      time: '2025-06-15T15:06:40.000Z',
    });
  });
  it('reads plain names and RFC 3339', () => {
    expect(versionFacts({ user_version: '1', user_desc: '', submitted_at: '2026-01-01T00:00:00Z' })?.time).toBe(
      '2026-01-01T00:00:00Z',
    );
  });
  it('has nothing for an empty slot', () => {
    expect(versionFacts(null)).toBeNull();
    expect(versionFacts({})).toBeNull();
  });
});

describe('networkLists', () => {
  it('leaves empty lists out', () => {
    expect(networkLists({ RequestDomain: ['https://a.com'], UDPDomain: [] })).toEqual([
      ['RequestDomain', ['https://a.com']],
    ]);
    expect(networkLists(null)).toEqual([]);
  });
});

describe('flags', () => {
  it('reads switches written as booleans or numbers and leaves the rest', () => {
    expect(flags({ open_pay: 1, open_card: 0, on: true, name: 'x', list: [] })).toEqual([
      ['open_pay', true],
      ['open_card', false],
      ['on', true],
    ]);
    expect(flags(null)).toEqual([]);
  });
});

describe('specialIds', () => {
  it('names what an account is besides, with WeChat’s id', () => {
    expect(specialIds({ channels: 'sph123', store: '', talent: null, supplier: { id: 7, extra: {} } })).toEqual([
      ['channels', 'sph123'],
      ['supplier', '7'],
    ]);
  });
});
