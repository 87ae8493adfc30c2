import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { ProblemPanel } from './ProblemPanel';

/** Loading is a calm placeholder of about the size of what comes. */
export function Loading({ rows = 4 }: { rows?: number }) {
  const { t } = useTranslation();
  return (
    <div className="loading" role="status" aria-label={t('common.loading')} data-testid="loading">
      {Array.from({ length: rows }, (_, i) => `row ${i}`).map((key) => (
        <span key={key} />
      ))}
    </div>
  );
}

export function EmptyNote({ title, hint, action }: { title: string; hint?: string; action?: ReactNode }) {
  return (
    <div className="empty" data-testid="empty">
      <strong>{title}</strong>
      {hint && <p>{hint}</p>}
      {action}
    </div>
  );
}

interface Props<T> {
  query: UseQueryResult<T, Error>;
  rows?: number;
  children: (data: T) => ReactNode;
}

/** QueryView shows loading, failure or data; old data stay in sight when only their refresh failed. */
export function QueryView<T>({ query, rows, children }: Props<T>) {
  if (query.data !== undefined) {
    return (
      <>
        {query.isRefetchError && <ProblemPanel stale error={query.error} onRetry={() => void query.refetch()} />}
        {children(query.data)}
      </>
    );
  }
  if (query.isError) return <ProblemPanel error={query.error} onRetry={() => void query.refetch()} />;
  return <Loading rows={rows} />;
}
