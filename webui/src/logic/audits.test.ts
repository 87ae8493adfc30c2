import { describe, expect, it } from 'vitest';
import { deskActions, resubmittable } from './audits';

describe('what may be done on the audit desk', () => {
  it('is nothing while nothing is picked, or when states are mixed', () => {
    expect(deskActions(new Set())).toEqual([]);
    expect(deskActions(new Set(['auditing', 'rejected']))).toEqual([]);
    expect(resubmittable(new Set())).toBe(false);
    expect(resubmittable(new Set(['approved', 'rejected']))).toBe(false);
  });
  it('is to speed up or withdraw what WeChat reviews', () => {
    expect(deskActions(new Set(['auditing', 'delayed']))).toEqual(['speed-up', 'withdraw']);
  });
  it('is to release what is approved', () => {
    expect(deskActions(new Set(['approved']))).toEqual(['release']);
  });
  it('is to submit again what was rejected or withdrawn, changed or not', () => {
    expect(deskActions(new Set(['rejected', 'withdrawn']))).toEqual(['retry']);
    expect(resubmittable(new Set(['rejected']))).toBe(true);
  });
});
