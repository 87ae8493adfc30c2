import type { RolloutForm } from '../../logic/rollout';

export type Change = (part: Partial<RolloutForm>) => void;

export interface PartProps {
  form: RolloutForm;
  change: Change;
  errorOf: (field: string) => string | undefined;
}
