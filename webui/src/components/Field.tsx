import type { ReactNode } from 'react';

interface Props {
  label: string;
  hint?: ReactNode;
  error?: string;
  children: ReactNode;
  /** testId is given as `field-${name}`. */
  name: string;
  /** group is for several controls under one name; else the label belongs to the one control inside. */
  group?: boolean;
  aside?: ReactNode;
}

/** Field puts a name above a control, and a hint or what is wrong below it. */
export function Field({ label, hint, error, children, name, group, aside }: Props) {
  const inner = (
    <>
      <span className="field__label">
        {label}
        {aside && <span className="field__aside">{aside}</span>}
      </span>
      {children}
      {error ? (
        <span className="field__error" role="alert" data-testid={`error-${name}`}>
          {error}
        </span>
      ) : (
        hint && <span className="field__hint">{hint}</span>
      )}
    </>
  );
  const className = error ? 'field field--wrong' : 'field';
  if (group) {
    return (
      <fieldset className={className} aria-label={label} data-testid={`field-${name}`}>
        {inner}
      </fieldset>
    );
  }
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is the child that every caller passes.
    <label className={className} data-testid={`field-${name}`}>
      {inner}
    </label>
  );
}
