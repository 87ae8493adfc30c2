import type { Step, SubmissionItem } from '../api/types';
import { plainLines } from './text';

type Trouble = Pick<SubmissionItem, 'reason' | 'state'> & { error?: SubmissionItem['error'] | null };

/** troubleDetail is what happened. A rejection's error repeats the reviewer's reason, which is shown apart: then nothing. */
export function troubleDetail(s: Trouble): string {
  const detail = plainLines(s.error?.detail || s.error?.errmsg || '').join(' ');
  return detail === plainLines(s.reason).join(' ') ? '' : detail;
}

/** trouble is the text that a list shows of what is wrong: what happened and what to do, else the reviewer's words. */
export function trouble(s: Trouble): string {
  const happened = troubleDetail(s) || (s.error || s.state === 'rejected' ? plainLines(s.reason).join(' ') : '');
  return [happened, s.error?.hint].filter(Boolean).join(' ');
}

/** shownSteps leaves out the steps that were passed over, such as waiting for a submission by hand that was automatic. */
export function shownSteps<T extends Pick<Step, 'state'>>(steps: readonly T[]): T[] {
  const last = steps.findLastIndex((s) => s.state !== 'pending');
  return steps.filter((s, i) => s.state !== 'pending' || i > last);
}
