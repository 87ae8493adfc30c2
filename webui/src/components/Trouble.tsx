import type { ReactNode } from 'react';
import type { SubmissionItem } from '../api/types';
import { submissionTone } from '../logic/states';
import { trouble } from '../logic/submission';

/** Trouble tells in a list what happened to a submission and, below, what to do; otherwise stands in when all is well. */
export function Trouble({ submission, otherwise }: { submission: SubmissionItem; otherwise: ReactNode }) {
  const { happened, hint } = trouble(submission);
  if (!happened && !hint) return <>{otherwise}</>;
  const bad = submissionTone(submission.state) === 'bad';
  return (
    <span className="trouble" title={[happened, hint].filter(Boolean).join('\n')}>
      {happened && <span className={bad ? 'trouble__what trouble__what--bad' : 'trouble__what'}>{happened}</span>}
      {hint && <span className="trouble__hint">{hint}</span>}
    </span>
  );
}
