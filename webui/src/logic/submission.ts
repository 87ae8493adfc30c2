import type { SubmissionItem } from '../api/types';
import { plainLines } from './text';

/** trouble is the text that a list shows of what is wrong: what happened and what to do, else the reviewer's words. */
export function trouble(s: Pick<SubmissionItem, 'error' | 'reason' | 'state'>): string {
  const said = [s.error?.detail || s.error?.errmsg, s.error?.hint].filter(Boolean).join(' ');
  if (said) return said;
  return s.state === 'rejected' ? plainLines(s.reason ?? '').join(' ') : '';
}
