interface Props<V extends string> {
  name: string;
  label: string;
  value: V;
  options: readonly { value: V; label: string }[];
  onChange: (value: V) => void;
}

/** Segmented is a row of radio buttons for a choice of a few words. */
export function Segmented<V extends string>({ name, label, value, options, onChange }: Props<V>) {
  return (
    <fieldset className="segmented" aria-label={label} data-testid={`choice-${name}`}>
      {options.map((o) => (
        <label key={o.value} data-testid={`choice-${name}-${o.value || 'all'}`}>
          <input type="radio" name={name} checked={value === o.value} onChange={() => onChange(o.value)} />
          <span>{o.label}</span>
        </label>
      ))}
    </fieldset>
  );
}
