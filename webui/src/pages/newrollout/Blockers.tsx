import type { Blocker } from '../../api/types';

/** Blockers are what stands in a merchant's way. */
export function Blockers({ blockers }: { blockers: readonly Blocker[] }) {
  return blockers.map((why) => (
    <div key={`${why.code} ${why.detail}`} className="blocker" data-testid={`blocker-${why.code}`}>
      <span>{why.detail}</span>
      {why.hint && <small>{why.hint}</small>}
    </div>
  ));
}
