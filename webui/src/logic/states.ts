/** Tone is what a colour says, the same everywhere in the UI. */
export type Tone = 'idle' | 'working' | 'review' | 'action' | 'good' | 'bad' | 'ended';

/** submissionStates in the order of the flow, the ends last. */
export const submissionStates = [
  'queued',
  'preflight',
  'domains',
  'committing',
  'detecting',
  'privacy',
  'trial',
  'submitting',
  'auditing',
  'approved',
  'releasing',
  'released',
  'blocked',
  'rejected',
  'failed',
  'withdrawn',
  'canceled',
  'superseded',
] as const;
export type SubmissionState = (typeof submissionStates)[number];

/** flowSteps are the states that a submission goes through when nothing goes wrong and nothing waits for a person. */
export const flowSteps: readonly SubmissionState[] = submissionStates.slice(1, 12);

export function isSubmissionState(state: string): state is SubmissionState {
  return (submissionStates as readonly string[]).includes(state);
}

export function submissionTone(state: string): Tone {
  switch (state) {
    case 'queued':
      return 'idle';
    case 'auditing':
      return 'review';
    case 'trial':
    case 'approved':
      return 'action';
    case 'released':
      return 'good';
    case 'blocked':
    case 'rejected':
    case 'failed':
    case 'withdrawn':
      return 'bad';
    case 'canceled':
    case 'superseded':
      return 'ended';
    default:
      return 'working';
  }
}

export const submissionActions = ['submit', 'release', 'retry', 'speed-up', 'withdraw', 'cancel'] as const;
export type SubmissionAction = (typeof submissionActions)[number];

const unfinished: readonly string[] = submissionStates.slice(0, 11);

/**
 * actionsFor lists what an operator may do in a state, the most likely first; gray says that a gray release is under way.
 * The server has the last word.
 */
export function actionsFor(state: string, gray = false): SubmissionAction[] {
  if (state === 'releasing' && gray) return ['release', 'cancel'];
  switch (state) {
    case 'trial':
      return ['submit', 'cancel'];
    case 'auditing':
      return ['speed-up', 'withdraw', 'cancel'];
    case 'approved':
      return ['release', 'cancel'];
    case 'blocked':
      return ['retry', 'cancel'];
    case 'rejected':
    case 'failed':
    case 'withdrawn':
    case 'canceled':
      return ['retry'];
    case 'submitting':
    case 'releasing':
    case 'released':
    case 'superseded':
      return [];
    default:
      return unfinished.includes(state) ? ['cancel'] : [];
  }
}

export type RolloutAction = 'pause' | 'resume' | 'retry-failed' | 'cancel';

export function rolloutActionsFor(state: string, counts: Record<string, number>): RolloutAction[] {
  const failures = (counts.failed ?? 0) + (counts.rejected ?? 0) + (counts.blocked ?? 0);
  const retry: RolloutAction[] = failures > 0 && state !== 'canceled' ? ['retry-failed'] : [];
  switch (state) {
    case 'scheduled':
      return ['cancel'];
    case 'running':
      return [...retry, 'pause', 'cancel'];
    case 'paused':
      return ['resume', ...retry, 'cancel'];
    case 'completed':
      return retry;
    default:
      return [];
  }
}

export function rolloutTone(state: string): Tone {
  switch (state) {
    case 'running':
      return 'working';
    case 'paused':
      return 'action';
    case 'completed':
      return 'good';
    case 'canceled':
      return 'ended';
    default:
      return 'idle';
  }
}

export function linkTone(status: string): Tone {
  switch (status) {
    case 'opened':
      return 'working';
    case 'authorized':
      return 'good';
    case 'failed':
      return 'bad';
    case 'expired':
    case 'revoked':
      return 'ended';
    default:
      return 'idle';
  }
}

export interface Segment {
  tone: Tone;
  count: number;
  percent: number;
}

const barOrder: readonly Tone[] = ['good', 'action', 'review', 'working', 'idle', 'bad', 'ended'];

/** segments sums counts by tone for a stacked bar. Percentages are of the total; nothing shown is thinner than 1 %. */
export function segments(counts: Record<string, number>, total: number): Segment[] {
  const sums = new Map<Tone, number>();
  for (const [state, count] of Object.entries(counts)) {
    const tone = submissionTone(state);
    sums.set(tone, (sums.get(tone) ?? 0) + count);
  }
  const whole = Math.max(
    total,
    [...sums.values()].reduce((a, b) => a + b, 0),
  );
  if (whole === 0) return [];
  return barOrder.flatMap((tone) => {
    const count = sums.get(tone) ?? 0;
    return count > 0 ? [{ tone, count, percent: Math.max(1, (count / whole) * 100) }] : [];
  });
}

/** finishedPercent is how much of a rollout has come to any end, blocked being one of them. */
export function finishedPercent(counts: Record<string, number>, total: number): number {
  if (total <= 0) return 0;
  const ended = ['released', 'rejected', 'failed', 'blocked', 'withdrawn', 'canceled', 'superseded'];
  const done = ended.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
  return Math.min(100, Math.floor((done / total) * 100));
}
