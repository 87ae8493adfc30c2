import { type KeyboardEvent, useId, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ChevronDownIcon, CloseIcon } from 'tdesign-icons-react';

export interface ComboOption {
  value: string;
  title: string;
  /** group is the heading that options of a kind stand under. */
  group?: string;
  /** note stands at the right end. */
  note?: string;
}

interface Props {
  value: string;
  /** text is how the chosen value reads; empty while nothing is chosen. */
  text: string;
  options: readonly ComboOption[];
  onPick: (value: string) => void;
  /** onType hears what is typed, for options that a server finds; without it options are filtered here. */
  onType?: (typed: string) => void;
  /** free lets a value be chosen that is not among the options. */
  free?: (typed: string) => string | undefined;
  /** keep takes what is typed when the keyboard leaves, as inputs of a form do; else only what was picked counts. */
  keep?: boolean;
  /** exact says that the values are the words themselves, with nothing before a colon to be left out. */
  exact?: boolean;
  label: string;
  placeholder: string;
  name: string;
}

function matching(options: readonly ComboOption[], typed: string): readonly ComboOption[] {
  const words = typed.trim().toLowerCase();
  if (words === '') return options;
  return options.filter((o) => o.value.toLowerCase().includes(words) || o.title.toLowerCase().includes(words));
}

/** Combo chooses one of many by typing a part of it. */
export function Combo({ value, text, options, onPick, onType, free, keep, exact, label, placeholder, name }: Props) {
  const { t } = useTranslation();
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState<string | null>(null); // null: not being edited
  const [at, setAt] = useState(-1);
  const open = typed !== null;
  const found = onType ? options : matching(options, typed ?? '');
  const own = free?.((typed ?? '').trim());
  const offered: readonly ComboOption[] =
    own && !found.some((o) => o.value === own) ? [...found, { value: own, title: (typed ?? '').trim() }] : found;

  function edit(next: string | null) {
    setTyped(next);
    setAt(-1);
    if (next !== null) onType?.(next.trim());
  }

  function pick(option?: ComboOption) {
    if (option) onPick(option.value);
    edit(null);
  }

  function leave() {
    const same = offered.find((o) => o.title === typed?.trim());
    if (keep && own) pick(same ?? { value: own, title: own });
    else edit(null);
  }

  function go(to: number) {
    if (!open) edit('');
    if (offered.length === 0) return;
    const next = (to + offered.length) % offered.length;
    setAt(next);
    list.current?.querySelector(`[data-at="${next}"]`)?.scrollIntoView({ block: 'nearest' });
  }

  function key(event: KeyboardEvent) {
    if (event.nativeEvent.isComposing) return;
    if (event.key === 'ArrowDown') go(at + 1);
    else if (event.key === 'ArrowUp') go(at <= 0 ? -1 : at - 1);
    else if (event.key === 'Enter' && open) pick(offered[at < 0 && typed !== '' ? 0 : at]);
    else if (event.key === 'Escape' && open) edit(null);
    else return;
    event.preventDefault();
  }

  return (
    <div className="combo" data-testid={`combo-${name}`}>
      <input
        ref={input}
        className="input"
        role="combobox"
        aria-label={label}
        aria-expanded={open}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={open && at >= 0 ? `${id}-${at}` : undefined}
        autoComplete="off"
        spellCheck={false}
        value={typed ?? text}
        placeholder={text || placeholder}
        onChange={(e) => edit(e.target.value)}
        onClick={() => !open && edit('')}
        onKeyDown={key}
        onBlur={leave}
      />
      {value && !open ? (
        <button
          type="button"
          className="combo__clear"
          aria-label={t('messages.clearOne', { name: label })}
          onClick={() => {
            onPick('');
            input.current?.focus();
          }}
          data-testid={`combo-${name}-clear`}
        >
          <CloseIcon />
        </button>
      ) : (
        <ChevronDownIcon className="combo__arrow" />
      )}
      <div
        ref={list}
        id={`${id}-list`}
        className="combo__list"
        role="listbox"
        tabIndex={-1}
        aria-label={label}
        hidden={!open}
        // The keyboard stays in the input, which knows what to do with its keys.
        onMouseDown={(e) => e.preventDefault()}
      >
        {offered.length === 0 && <div className="combo__none">{t('common.noMatches')}</div>}
        {offered.map((o, i) => (
          <div key={o.value}>
            {o.group && o.group !== offered[i - 1]?.group && <div className="combo__group">{o.group}</div>}
            {/* biome-ignore lint/a11y/useKeyWithClickEvents: the input hears the keys. */}
            <div
              id={`${id}-${i}`}
              className="combo__option"
              role="option"
              tabIndex={-1}
              aria-selected={o.value === value}
              data-active={i === at || undefined}
              data-at={i}
              data-testid={`option-${o.value}`}
              onClick={() => pick(o)}
            >
              <span>{o.title}</span>
              {!exact && o.title !== plain(o.value) && <code>{plain(o.value)}</code>}
              {o.note && <small className="combo__note">{o.note}</small>}
            </div>
          </div>
        ))}
      </div>
    </div>
  );
}

/** plain leaves the part before the colon out, which only tells values of several kinds apart. */
function plain(value: string): string {
  return value.slice(value.indexOf(':') + 1);
}
