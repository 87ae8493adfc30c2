import type { ComponentProps } from 'react';
import { Link } from 'react-router-dom';
import { Button as Plain } from 'tdesign-react';

/** Button is always a real button element, also while it is disabled. */
export function Button(props: ComponentProps<typeof Plain>) {
  return <Plain {...props} tag="button" />;
}

interface LinkProps {
  to: string;
  children: string;
  variant?: 'base' | 'outline';
  small?: boolean;
  /** outside opens another site or page of ours in a new tab. */
  outside?: boolean;
  testId?: string;
}

/** ButtonLink is a link in the dress of a button. */
export function ButtonLink({ to, children, variant = 'base', small, outside, testId }: LinkProps) {
  const className = [
    't-button',
    `t-button--variant-${variant}`,
    `t-button--theme-${variant === 'base' ? 'primary' : 'default'}`,
    small && 't-size-s',
  ]
    .filter(Boolean)
    .join(' ');
  const text = <span className="t-button__text">{children}</span>;
  if (outside) {
    return (
      <a className={className} href={to} target="_blank" rel="noreferrer" data-testid={testId}>
        {text}
      </a>
    );
  }
  return (
    <Link className={className} to={to} data-testid={testId}>
      {text}
    </Link>
  );
}
