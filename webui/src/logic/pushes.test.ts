import { describe, expect, it } from 'vitest';
import { pushTitle } from './pushes';

describe('pushTitle', () => {
  it('names a push in both languages', () => {
    expect(pushTitle('component_verify_ticket', 'zh-CN')).toBe('验证票据');
    expect(pushTitle('weapp_audit_fail', 'en')).toBe('Version rejected');
  });
  it('tells the event LOCATION from the message location', () => {
    expect(pushTitle('LOCATION', 'en')).not.toBe(pushTitle('location', 'en'));
  });
  it('knows nothing of what WeChat has not documented', () => {
    expect(pushTitle('brand_new', 'zh-CN')).toBeUndefined();
  });
});
