import { useRef } from 'react';
import { Button } from './Button';

interface Props {
  label: string;
  accept: readonly string[];
  onPick: (file: File) => void;
  loading?: boolean;
  disabled?: boolean;
  /** name tells several of them apart: `file-${name}`. */
  name: string;
}

/** FilePick is a button that lets one file be chosen. */
export function FilePick({ label, accept, onPick, loading, disabled, name }: Props) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        type="file"
        hidden
        accept={accept.join(',')}
        data-testid={`file-${name}`}
        onChange={(e) => {
          const file = e.target.files?.[0];
          e.target.value = ''; // the same file again is a choice, too
          if (file) onPick(file);
        }}
      />
      <Button
        size="small"
        variant="outline"
        theme="default"
        loading={loading}
        disabled={disabled}
        onClick={() => input.current?.click()}
        data-testid={`pick-${name}`}
      >
        {label}
      </Button>
    </>
  );
}
