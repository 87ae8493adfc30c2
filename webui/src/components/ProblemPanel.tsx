import { useTranslation } from 'react-i18next';
import { ErrorCircleFilledIcon } from 'tdesign-icons-react';
import { asProblem, type Problem } from '../api/problem';
import { Button } from './Button';

function useWords(problem: Problem) {
  const { t } = useTranslation();
  if (problem.code === 'network') return { title: t('problem.network'), detail: t('problem.networkDetail') };
  return {
    title: problem.title || (problem.status ? t('problem.status', { status: problem.status }) : t('problem.generic')),
    detail: problem.detail,
  };
}

interface Props {
  error: unknown;
  onRetry?: () => void;
  /** compact leaves the box out, for use inside one. */
  compact?: boolean;
  /** stale says that what is shown below are the last data. */
  stale?: boolean;
}

/** ProblemPanel shows all that is known about a failure: what, why, what to do, and the numbers support asks for. */
export function ProblemPanel({ error, onRetry, compact, stale }: Props) {
  const { t } = useTranslation();
  const problem = asProblem(error);
  const { title, detail } = useWords(problem);
  return (
    <div className={compact ? 'problem problem--compact' : 'problem'} role="alert" data-testid="problem">
      <ErrorCircleFilledIcon className="problem__icon" />
      <div className="problem__text">
        <strong data-testid="problem-title">{title}</strong>
        {detail && detail !== title && detail !== problem.wechat?.hint && <p data-testid="problem-detail">{detail}</p>}
        {stale && <p>{t('problem.stale')}</p>}
        {problem.errors.length > 0 && (
          <ul>
            {problem.errors.map((e) => (
              <li key={`${e.location} ${e.message}`}>
                <code>{e.location.replace(/^body\.?/, '') || '—'}</code> {e.message}
              </li>
            ))}
          </ul>
        )}
        {problem.wechat?.hint && (
          <p className="problem__hint" data-testid="problem-hint">
            {t('problem.hint', { hint: problem.wechat.hint })}
          </p>
        )}
        <Facts
          errcode={problem.wechat?.errcode}
          errmsg={problem.wechat?.errmsg}
          rid={problem.wechat?.rid}
          requestId={problem.status >= 500 ? problem.requestId : undefined}
        />
      </div>
      {onRetry && (
        <Button size="small" variant="outline" onClick={onRetry}>
          {t('common.retry')}
        </Button>
      )}
    </div>
  );
}

/** Facts are the numbers of a refusal by WeChat, small and selectable. */
export function Facts(props: { errcode?: number; errmsg?: string; rid?: string; requestId?: string }) {
  const { t } = useTranslation();
  const { errcode, errmsg, rid, requestId } = props;
  if (!errcode && !rid && !requestId && !errmsg) return null;
  return (
    <p className="facts">
      {errcode ? (
        <span data-testid="errcode">
          {t('problem.errcode')} {errcode}
        </span>
      ) : null}
      {errmsg && <span>{errmsg}</span>}
      {rid && (
        <span data-testid="rid">
          {t('problem.rid')} {rid}
        </span>
      )}
      {requestId && (
        <span>
          {t('common.requestId')} {requestId}
        </span>
      )}
    </p>
  );
}
