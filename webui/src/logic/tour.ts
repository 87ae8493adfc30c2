export const tourSteps = ['authorize', 'rollout', 'review', 'released'] as const;
export type TourStep = (typeof tourSteps)[number];

export interface Seen {
  /** linksUsed are authorization links that a merchant has said yes to. */
  linksUsed: number;
  rollouts: Record<string, number>;
  submissions: Record<string, number>;
}

/** doneSteps says what of the tour has happened. What has led to a later step has happened, too. */
export function doneSteps(seen: Seen): ReadonlySet<TourStep> {
  const sum = (counts: Record<string, number>, names?: string[]) =>
    Object.entries(counts).reduce((n, [name, count]) => n + (!names || names.includes(name) ? count : 0), 0);
  const done = new Set<TourStep>();
  if (seen.linksUsed > 0) done.add('authorize');
  if (sum(seen.rollouts) > 0) done.add('rollout');
  if (sum(seen.submissions, ['approved', 'releasing', 'released']) > 0) done.add('review');
  if (sum(seen.submissions, ['released']) > 0) done.add('released');
  return done;
}

/** currentStep is the first that has not happened; null: the tour is over. */
export function currentStep(done: ReadonlySet<TourStep>): TourStep | null {
  return tourSteps.find((s) => !done.has(s)) ?? null;
}
