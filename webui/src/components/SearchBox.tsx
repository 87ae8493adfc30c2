import { useCallback, useEffect, useRef, useState } from 'react';
import { SearchIcon } from 'tdesign-icons-react';
import { Input } from 'tdesign-react';

interface Props {
  value: string;
  onSearch: (value: string) => void;
  placeholder: string;
  testId?: string;
}

const pause = 300;

/** SearchBox hands a text over shortly after the typing stops. */
export function SearchBox({ value, onSearch, placeholder, testId = 'search' }: Props) {
  const [typed, setTyped] = useState(value);
  const box = useRef<HTMLDivElement>(null);
  const sent = useRef(value);
  const send = useCallback(
    (text: string) => {
      sent.current = text.trim();
      onSearch(sent.current);
    },
    [onSearch],
  );
  // The input offers no way to name it.
  useEffect(() => box.current?.querySelector('input')?.setAttribute('aria-label', placeholder), [placeholder]);
  // What comes back of our own text lacks the space before the next word; only other texts are taken over.
  useEffect(() => {
    if (value === sent.current) return;
    sent.current = value;
    setTyped(value);
  }, [value]);
  useEffect(() => {
    if (typed.trim() === value) return;
    const timer = setTimeout(() => send(typed), pause);
    return () => clearTimeout(timer);
  }, [typed, value, send]);
  return (
    <div className="searchbox" ref={box} data-testid={testId}>
      <Input
        type="search"
        clearable
        prefixIcon={<SearchIcon />}
        value={typed}
        placeholder={placeholder}
        onChange={setTyped}
        onEnter={(_, { e }) => {
          e.preventDefault(); // the form around it is not sent
          send(typed);
        }}
      />
    </div>
  );
}
