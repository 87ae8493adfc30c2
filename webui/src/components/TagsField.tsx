import { type KeyboardEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { CloseIcon } from 'tdesign-icons-react';

interface Props {
  value: string[];
  onChange: (value: string[]) => void;
  placeholder: string;
  label: string;
  suggestions?: string[];
}

/** TagsField edits a list of short texts: Enter or a comma adds, Backspace in the empty box takes the last away. */
export function TagsField({ value, onChange, placeholder, label, suggestions = [] }: Props) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState('');

  function add(text: string) {
    const tag = text.trim();
    setTyped('');
    if (tag !== '' && !value.includes(tag)) onChange([...value, tag]);
  }

  function key(event: KeyboardEvent<HTMLInputElement>) {
    if (event.nativeEvent.isComposing) return; // Enter ends a Chinese word here, not the tag
    if (event.key === 'Enter' || event.key === ',') {
      event.preventDefault();
      add(typed);
    } else if (event.key === 'Backspace' && typed === '' && value.length > 0) {
      onChange(value.slice(0, -1));
    }
  }

  const offered = suggestions.filter((s) => !value.includes(s)).slice(0, 12);
  return (
    <div>
      <div className="tags">
        {value.map((tag) => (
          <span key={tag} className="pill pill--edit">
            {tag}
            <button
              type="button"
              aria-label={`${t('common.remove')} ${tag}`}
              onClick={() => onChange(value.filter((v) => v !== tag))}
            >
              <CloseIcon />
            </button>
          </span>
        ))}
        <input
          aria-label={label}
          value={typed}
          placeholder={value.length === 0 ? placeholder : ''}
          onChange={(e) => setTyped(e.target.value)}
          onKeyDown={key}
          onBlur={() => add(typed)}
        />
      </div>
      {offered.length > 0 && (
        <div className="suggest">
          {offered.map((s) => (
            <button type="button" key={s} className="chip" onClick={() => add(s)}>
              + {s}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
