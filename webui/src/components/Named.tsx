import type { ReactNode } from 'react';

interface Props {
  name: string;
  children: ReactNode;
  testId?: string;
}

/** Named names a control for those who cannot see what stands around it. */
export function Named({ name, children, testId }: Props) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is the child that every caller passes.
    <label className="named" data-testid={testId}>
      <span className="offscreen">{name}</span>
      {children}
    </label>
  );
}
