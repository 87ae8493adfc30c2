import { Facts } from './ProblemPanel';

interface Props {
  refusal: { detail: string; errcode: number; errmsg: string; rid: string };
  testId?: string;
}

/** Refusal tells what WeChat refused some time ago: why, what to do, and the numbers its support asks for. */
export function Refusal({ refusal, testId = 'refusal' }: Props) {
  return (
    <div className="refusal" data-testid={testId}>
      {refusal.detail && <span>{refusal.detail}</span>}
      <Facts errcode={refusal.errcode} errmsg={refusal.errmsg} rid={refusal.rid} />
    </div>
  );
}
