import type { Step, SubmissionItem } from '../api/types';
import { plainLines } from './text';

type Trouble = Pick<SubmissionItem, 'reason' | 'state'> & { error?: SubmissionItem['error'] | null };

/** troubleDetail is what happened. A rejection's error repeats the reviewer's reason, which is shown apart: then nothing. */
export function troubleDetail(s: Trouble): string {
  const detail = plainLines(s.error?.detail || s.error?.errmsg || '').join(' ');
  return detail === plainLines(s.reason).join(' ') ? '' : detail;
}

/** trouble is what a list shows of what is wrong: what happened, else the reviewer's words, and what to do. */
export function trouble(s: Trouble): { happened: string; hint: string } {
  const happened = troubleDetail(s) || (s.error || s.state === 'rejected' ? plainLines(s.reason).join(' ') : '');
  const hint = s.error?.hint ?? '';
  return { happened, hint: hint === happened ? '' : hint };
}

/** shownSteps leaves out the steps that were passed over, such as waiting for a submission by hand that was automatic. */
export function shownSteps<T extends Pick<Step, 'state'>>(steps: readonly T[]): T[] {
  const last = steps.findLastIndex((s) => s.state !== 'pending');
  return steps.filter((s, i) => s.state !== 'pending' || i > last);
}
