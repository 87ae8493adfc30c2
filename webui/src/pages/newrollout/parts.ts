import type { RolloutForm } from '../../logic/rollout';

/** Change takes over a part of the form; what ends later, such as an upload, makes it of the form as it is by then. */
export type Change = (part: Partial<RolloutForm> | ((now: RolloutForm) => Partial<RolloutForm>)) => void;

export interface PartProps {
  form: RolloutForm;
  change: Change;
  errorOf: (field: string) => string | undefined;
}
