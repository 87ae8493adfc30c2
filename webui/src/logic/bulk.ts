import { actionsFor, type SubmissionAction, submissionActions } from './states';

/** Some is what must be known of a submission to act on it together with others. */
export interface Some {
  id: string;
  state: string;
  gray?: unknown;
}

/** doable groups what is picked by what may be done with it: not everything fits everybody. */
export function doable(picked: readonly Some[]): { action: SubmissionAction; ids: string[] }[] {
  return submissionActions.flatMap((action) => {
    const ids = picked.filter((s) => actionsFor(s.state, Boolean(s.gray)).includes(action)).map((s) => s.id);
    return ids.length > 0 ? [{ action, ids }] : [];
  });
}

/** inParts cuts a list into parts of at most `most`. */
export function inParts<T>(list: readonly T[], most: number): T[][] {
  const parts: T[][] = [];
  for (let i = 0; i < list.length; i += most) parts.push(list.slice(i, i + most));
  return parts;
}
