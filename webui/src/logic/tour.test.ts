import { describe, expect, it } from 'vitest';
import { currentStep, doneSteps } from './tour';

const nothing = { linksUsed: 0, rollouts: {}, submissions: {} };

describe('the tour', () => {
  it('begins with a merchant and ends with a released one', () => {
    expect(currentStep(doneSteps(nothing))).toBe('authorize');
    expect(currentStep(doneSteps({ ...nothing, linksUsed: 1 }))).toBe('rollout');
    const audited = { linksUsed: 1, rollouts: { running: 1 }, submissions: { auditing: 1 } };
    expect(currentStep(doneSteps(audited))).toBe('review');
    expect(currentStep(doneSteps({ ...audited, submissions: { approved: 1 } }))).toBe('released');
    expect(currentStep(doneSteps({ ...audited, submissions: { released: 1 } }))).toBeNull();
  });
  it('lets who begins elsewhere catch up', () => {
    const done = doneSteps({ linksUsed: 0, rollouts: { completed: 1 }, submissions: { released: 1 } });
    expect(currentStep(done)).toBe('authorize');
    expect(done.has('released')).toBe(true);
  });
});
