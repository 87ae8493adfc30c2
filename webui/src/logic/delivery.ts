/** longAnswer says that an answer is better shown cut at first. */
export function longAnswer(text: string): boolean {
  return text.length > 300 || text.split('\n').length > 5;
}

interface Summary {
  state: 'pending' | 'delivered' | 'dead';
}

/** tally counts deliveries by state, the worst first, without those that there are none of. */
export function tally(deliveries: readonly Summary[]): { state: Summary['state']; n: number }[] {
  return (['dead', 'pending', 'delivered'] as const)
    .map((state) => ({ state, n: deliveries.filter((d) => d.state === state).length }))
    .filter(({ n }) => n > 0);
}

/** progress is how much of a bulk retry is through, of what was sent again and what still waits; 0 to 100. */
export function progress(sent: number, waiting: number): number {
  if (sent <= 0) return 100;
  return Math.round((Math.max(0, sent - waiting) / sent) * 100);
}
