import type { ReactNode } from 'react';

/** Figures is a row of numbers with their names. */
export function Figures({ children }: { children: ReactNode }) {
  return <dl className="numbers">{children}</dl>;
}

interface Props {
  name: string;
  value: number | string;
  /** tone colours a number that is not 0. */
  tone?: 'good' | 'bad';
  testId?: string;
}

export function Figure({ name, value, tone, testId }: Props) {
  return (
    <div className={tone && value !== 0 ? `number number--${tone}` : 'number'}>
      <dt>{name}</dt>
      <dd data-testid={testId}>{value}</dd>
    </div>
  );
}
