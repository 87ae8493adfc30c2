import { describe, expect, it } from 'vitest';
import {
  detailOf,
  fieldsOf,
  fieldTrouble,
  ownerOf,
  registrationActions,
  registrationKinds,
  registrationStates,
  registrationTone,
  requestOf,
} from './registrations';

describe('fieldTrouble', () => {
  it('wants what the kind needs, and only that', () => {
    expect(fieldTrouble('enterprise', 'biz_id', {})).toBe('missing');
    expect(fieldTrouble('personal', 'phone', {})).toBeNull();
    expect(fieldTrouble('trial_upgrade', 'biz_id', { biz_id: ' ' })).toBeNull();
    expect(fieldTrouble('trial_upgrade', 'appid', {})).toBe('missing');
  });
  it('checks the credit code and the phone number as the server does', () => {
    const code = (value: string) => fieldTrouble('enterprise', 'code', { code: value });
    expect(code('91330100MA2KABCD1X')).toBeNull();
    for (const wrong of ['91330100ma2kabcd1x', '9133', '110108001234567'])
      expect([wrong, code(wrong)]).toEqual([wrong, 'code']);
    const phone = (value: string) => fieldTrouble('enterprise', 'phone', { phone: value });
    expect(phone('+86 571-8888 0000')).toBeNull();
    expect(phone('call me')).toBe('phone');
  });
  it('counts a Chinese character of a trial name twice', () => {
    expect(fieldTrouble('trial', 'name', { name: '面馆' })).toBeNull();
    expect(fieldTrouble('trial', 'name', { name: '面' })).toBe('trialName');
    expect(fieldTrouble('trial', 'name', { name: '面'.repeat(16) })).toBe('trialName');
    expect(fieldTrouble('enterprise', 'name', { name: '面'.repeat(16) })).toBeNull();
    expect(fieldTrouble('enterprise', 'biz_id', { biz_id: 'x'.repeat(129) })).toBe('long');
  });
});

it('sends the fields of the kind, trimmed', () => {
  const typed = {
    biz_id: ' shop-1 ',
    name: '有限公司',
    code: '91330100MA2KABCD1X',
    phone: '13800000000',
    openid: 'left over',
  };
  expect(requestOf('enterprise', typed)).toEqual({
    biz_id: 'shop-1',
    name: '有限公司',
    code: '91330100MA2KABCD1X',
    phone: '13800000000',
  });
  for (const kind of registrationKinds) expect(new Set(fieldsOf(kind)).size).toBe(fieldsOf(kind).length);
});

describe('states', () => {
  it('have a tone each', () => {
    expect(registrationStates.map(registrationTone)).toEqual([
      'idle',
      'working',
      'action',
      'working',
      'good',
      'bad',
      'ended',
      'ended',
    ]);
  });
  it('offer what can be done', () => {
    expect(registrationActions('enterprise', 'waiting')).toEqual(['check', 'assign', 'cancel']);
    expect(registrationActions('trial_upgrade', 'waiting')).toEqual(['check', 'cancel']);
    expect(registrationActions('official_account', 'waiting')).toEqual(['assign', 'cancel']);
    expect(registrationActions('admin_change', 'sent')).toEqual(['cancel']);
    expect(registrationActions('enterprise', 'expired')).toEqual(['retry', 'assign']);
    expect(registrationActions('enterprise', 'completed')).toEqual([]);
  });
});

it('tells of the task what the state does not', () => {
  const task = { status: 0, detail: 'waits' };
  expect(detailOf({ ...task, state: 'waiting' })).toBe('');
  expect(detailOf({ ...task, state: 'waiting', status: 4, detail: 'face check' })).toBe('face check');
  expect(detailOf({ ...task, state: 'created' })).toBe('');
  expect(detailOf({ ...task, state: 'failed', detail: 'too many' })).toBe('too many');
});

it('names the owner', () => {
  expect(ownerOf({ enterprise_name: '甲公司', code: 'x' })).toBe('甲公司');
  expect(ownerOf({ idname: '张三', wxuser: 'z3' })).toBe('张三');
  expect(ownerOf({ appid: 'wx1' })).toBe('wx1');
  expect(ownerOf({})).toBe('');
});
