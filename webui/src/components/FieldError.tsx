/** FieldError is what is wrong with a control that has no Field around it. */
export function FieldError({ text }: { text?: string }) {
  if (!text) return null;
  return (
    <span className="field__error" role="alert">
      {text}
    </span>
  );
}
