import type { TextareaHTMLAttributes } from 'react';

interface Props extends Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, 'onChange'> {
  onChange: (value: string) => void;
  code?: boolean;
}

/** TextArea is a plain text area in our dress; code is set in a fixed-width face without spelling marks. */
export function TextArea({ onChange, code, className, ...rest }: Props) {
  return (
    <textarea
      {...rest}
      spellCheck={code ? false : rest.spellCheck}
      className={['textarea', code && 'textarea--code', className].filter(Boolean).join(' ')}
      onChange={(e) => onChange(e.target.value)}
    />
  );
}
