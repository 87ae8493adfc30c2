import type { FormErrors, RolloutForm } from './rollout';
import { emptyForm } from './rollout';

/** steps of a new rollout, in order. */
export const steps = ['template', 'targets', 'version', 'settings', 'audit', 'release', 'check'] as const;
export type Step = (typeof steps)[number];

export function isStep(text: string | null): text is Step {
  return steps.includes(text as Step);
}

export function stepAfter(step: Step): Step | null {
  return steps[steps.indexOf(step) + 1] ?? null;
}

export function stepBefore(step: Step): Step | null {
  return steps[steps.indexOf(step) - 1] ?? null;
}

const owners: Record<string, Step> = {
  template_id: 'template',
  targets: 'targets',
  name: 'version',
  user_version: 'version',
  user_desc: 'version',
  ext_json: 'version',
  domains: 'settings',
  privacy: 'settings',
  audit: 'audit',
  release: 'release',
  strategy: 'release',
  start_at: 'release',
};

/** stepOf is where a field of the request is filled in; what is nowhere else belongs to the last step. */
export function stepOf(field: string): Step {
  return owners[field] ?? owners[field.split('.')[0] ?? ''] ?? 'check';
}

// What is missing is told once a step was left, what is wrong at once.
const missing = new Set([
  'required',
  'template',
  'targets',
  'labels',
  'contact',
  'notice',
  'privacyText',
  'auditPage',
  'ugc',
]);

/** told leaves out what is only missing yet in steps that were not left so far. */
export function told(errors: FormErrors, left: readonly Step[]): FormErrors {
  return Object.fromEntries(
    Object.entries(errors).filter(([field, e]) => !missing.has(e.key) || left.includes(stepOf(field))),
  );
}

export type StepState = 'current' | 'wrong' | 'done' | 'open';

/** stepState is the mark of a step in the list; fields are those with something wrong. */
export function stepState(step: Step, at: Step, left: readonly Step[], fields: readonly string[]): StepState {
  if (fields.some((f) => stepOf(f) === step)) return 'wrong';
  if (step === at) return 'current';
  return left.includes(step) ? 'done' : 'open';
}

/** Draft is a rollout being written, as it outlives a reload. */
export interface Draft {
  form: RolloutForm;
  /** left are the steps that were left once. */
  left: Step[];
  /** preflight is the last check and what it was made of. */
  preflight: { id: string; body: string } | null;
}

export function emptyDraft(): Draft {
  return { form: emptyForm(), left: [], preflight: null };
}

/** withWishes puts what another page asks for on top of a draft; the steps before the given one need no look any more. */
export function withWishes(draft: Draft, wishes: Partial<RolloutForm>, step: Step): Draft {
  const left = [...new Set([...draft.left, ...steps.slice(0, steps.indexOf(step))])];
  return { ...draft, form: { ...draft.form, ...wishes }, left };
}

export function untouched(draft: Draft): boolean {
  return JSON.stringify(draft) === JSON.stringify(emptyDraft());
}

/** writeDraft makes the text that is kept; it belongs to one user. */
export function writeDraft(user: string, draft: Draft): string {
  return JSON.stringify({ user, ...draft });
}

/** readDraft is empty for another user's draft, and fills in what an older program did not know. */
export function readDraft(text: string | null, user: string): Draft {
  const empty = emptyDraft();
  if (!text) return empty;
  let kept: Partial<Draft & { user: string }> | null;
  try {
    kept = JSON.parse(text) as typeof kept;
  } catch {
    return empty;
  }
  if (typeof kept !== 'object' || kept?.user !== user) return empty;
  return {
    form: { ...empty.form, ...kept.form },
    left: (kept.left ?? []).filter(isStep),
    preflight: kept.preflight ?? null,
  };
}
