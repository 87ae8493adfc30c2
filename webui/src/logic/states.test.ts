import { describe, expect, it } from 'vitest';
import { actionsFor, finishedPercent, rolloutActionsFor, segments, submissionStates, submissionTone } from './states';

describe('submission states', () => {
  it('gives every state of the contract a tone', () => {
    expect(submissionStates).toHaveLength(18);
    expect(submissionTone('blocked')).toBe('bad');
    expect(submissionTone('trial')).toBe('action');
    expect(submissionTone('something new')).toBe('working');
  });

  it('offers nothing where nothing can be done', () => {
    expect(actionsFor('released')).toEqual([]);
    expect(actionsFor('superseded')).toEqual([]);
    expect(actionsFor('something new')).toEqual([]);
  });

  it('offers retry in every state the contract allows it', () => {
    for (const state of ['blocked', 'failed', 'rejected', 'withdrawn', 'canceled']) {
      expect(actionsFor(state)).toContain('retry');
    }
  });

  it('asks for the decision first where a person is waited for', () => {
    expect(actionsFor('trial')[0]).toBe('submit');
    expect(actionsFor('approved')[0]).toBe('release');
  });
});

describe('rollout actions', () => {
  it('offers retry-failed only when something failed', () => {
    expect(rolloutActionsFor('running', { released: 3 })).toEqual(['pause', 'cancel']);
    expect(rolloutActionsFor('running', { rejected: 1 })).toEqual(['retry-failed', 'pause', 'cancel']);
    expect(rolloutActionsFor('canceled', { failed: 1 })).toEqual([]);
  });
});

describe('segments', () => {
  it('sums by tone and keeps the order of the bar', () => {
    expect(segments({ released: 2, failed: 1, blocked: 1 }, 4)).toEqual([
      { tone: 'good', count: 2, percent: 50 },
      { tone: 'bad', count: 2, percent: 50 },
    ]);
  });

  it('is empty for an empty rollout', () => {
    expect(segments({}, 0)).toEqual([]);
  });

  it('keeps one among thousands visible', () => {
    expect(segments({ released: 4999, failed: 1 }, 5000)[1]).toEqual({ tone: 'bad', count: 1, percent: 1 });
  });
});

describe('finishedPercent', () => {
  it('rounds down, so that 100 means all', () => {
    expect(finishedPercent({ released: 999 }, 1000)).toBe(99);
    expect(finishedPercent({ released: 1000 }, 1000)).toBe(100);
    expect(finishedPercent({}, 0)).toBe(0);
  });
});
