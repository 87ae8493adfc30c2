import type { SubmissionItem } from '../api/types';
import { plainLines } from './text';

/** trouble is the one line that a list shows of what is wrong: what to do, else what happened, else the reviewer's words. */
export function trouble(s: Pick<SubmissionItem, 'error' | 'reason' | 'state'>): string {
  const said = s.error?.hint || s.error?.detail || s.error?.errmsg;
  if (said) return said;
  return s.state === 'rejected' ? plainLines(s.reason ?? '').join(' ') : '';
}
