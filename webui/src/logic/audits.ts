import type { Audit } from '../api/types';

export type DeskState = Audit['state'];

/** deskStates in the order in which they are looked at. */
export const deskStates = ['auditing', 'delayed', 'rejected', 'approved', 'withdrawn'] as const;

export type DeskAction = 'speed-up' | 'withdraw' | 'release' | 'retry';

const reviewing: readonly DeskState[] = ['auditing', 'delayed'];
const ended: readonly DeskState[] = ['rejected', 'withdrawn'];

function only(states: ReadonlySet<DeskState>, some: readonly DeskState[]): boolean {
  return states.size > 0 && [...states].every((s) => some.includes(s));
}

/** deskActions are what may be done with all that is picked; the server has the last word. */
export function deskActions(states: ReadonlySet<DeskState>): DeskAction[] {
  if (only(states, reviewing)) return ['speed-up', 'withdraw'];
  if (only(states, ['approved'])) return ['release'];
  if (only(states, ended)) return ['retry'];
  return [];
}

/** resubmittable says that all that is picked can be edited and submitted again. */
export function resubmittable(states: ReadonlySet<DeskState>): boolean {
  return only(states, ended);
}
