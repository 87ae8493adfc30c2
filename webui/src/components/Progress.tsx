interface Props {
  label: string;
  done: number;
  /** total is 0 while it is not known; then the bar only shows that something goes on. */
  total: number;
  testId?: string;
}

/** Progress is a bar that fills up. */
export function Progress({ label, done, total, testId }: Props) {
  const percent = total > 0 ? Math.min(100, Math.floor((done / total) * 100)) : undefined;
  return (
    <div
      className={percent === undefined ? 'meter meter--unknown' : 'meter'}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      data-testid={testId}
    >
      <span style={percent === undefined ? undefined : { width: `${percent}%` }} />
    </div>
  );
}
