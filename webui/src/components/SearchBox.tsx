import { useEffect, useRef, useState } from 'react';
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
  // The input offers no way to name it.
  useEffect(() => box.current?.querySelector('input')?.setAttribute('aria-label', placeholder), [placeholder]);
  useEffect(() => setTyped(value), [value]);
  useEffect(() => {
    if (typed === value) return;
    const timer = setTimeout(() => onSearch(typed.trim()), pause);
    return () => clearTimeout(timer);
  }, [typed, value, onSearch]);
  return (
    <div className="searchbox" ref={box} data-testid={testId}>
      <Input
        type="search"
        clearable
        prefixIcon={<SearchIcon />}
        value={typed}
        placeholder={placeholder}
        onChange={setTyped}
        onEnter={() => onSearch(typed.trim())}
      />
    </div>
  );
}
