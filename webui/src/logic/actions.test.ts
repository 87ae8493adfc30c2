import { describe, expect, it } from 'vitest';
import description from '../../openapi.json';
import { actionTitle, knownActions } from './actions';

const operations = new Set(
  Object.values(description.paths as Record<string, Record<string, { operationId: string }>>).flatMap((methods) =>
    Object.values(methods).map((o) => o.operationId),
  ),
);

const changes = new Set(
  Object.values(description.paths as Record<string, Record<string, { operationId: string }>>).flatMap((methods) =>
    Object.entries(methods).flatMap(([method, o]) => (method === 'get' ? [] : [o.operationId])),
  ),
);

describe('actions', () => {
  it('are operations that there are, each once', () => {
    const ids = knownActions('en').map((a) => a.value);
    expect(ids.filter((id) => !operations.has(id))).toEqual([]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('are there for everything that the API can change', () => {
    const known = new Set(knownActions('en').map((a) => a.value));
    // These change nothing, so the audit log leaves them out.
    const unlogged = ['preview-rollout', 'count-rollout-targets'];
    expect([...changes].filter((id) => !known.has(id) && !unlogged.includes(id))).toEqual([]);
  });

  it('have names in both languages, and unknown ones keep their id', () => {
    expect(actionTitle('sign-in', 'zh-CN')).toBe('登录');
    expect(actionTitle('sign-in', 'en')).toBe('Sign in');
    expect(actionTitle('brew-coffee', 'en')).toBe('brew-coffee');
  });
});
