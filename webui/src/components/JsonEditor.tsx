import { type UIEvent, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Checked } from '../logic/json';
import { TextArea } from './TextArea';

interface Props {
  value: string;
  onChange: (value: string) => void;
  checked: Checked;
  label: string;
  disabled?: boolean;
}

/** JsonEditor edits JSON with its lines counted and the wrong one marked, and leads to the mistake. */
export function JsonEditor({ value, onChange, checked, label, disabled }: Props) {
  const { t } = useTranslation();
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const lines = useMemo(() => value.split('\n').length, [value]);
  const mistake = 'mistake' in checked ? checked.mistake : null;
  const area = () => box.current?.querySelector('textarea');

  function scroll(event: UIEvent<HTMLTextAreaElement>) {
    setTop(event.currentTarget.scrollTop);
  }

  function go() {
    const input = area();
    if (!input || !mistake) return;
    input.focus();
    input.setSelectionRange(mistake.at, Math.min(value.length, mistake.at + 1));
    const height = Number.parseFloat(getComputedStyle(input).lineHeight) || 19;
    input.scrollTop = Math.max(0, (mistake.line - 4) * height);
  }

  return (
    <div className={mistake ? 'jsonbox jsonbox--wrong' : 'jsonbox'} ref={box} data-testid="json-editor">
      <div className="jsonbox__text">
        <div className="jsonbox__lines" aria-hidden="true">
          <div style={{ transform: `translateY(${-top}px)` }}>
            {Array.from({ length: lines }, (_, i) => i + 1).map((n) => (
              <span key={n} className={mistake?.line === n ? 'jsonbox__bad' : undefined}>
                {n}
              </span>
            ))}
          </div>
        </div>
        <TextArea
          code
          wrap="off"
          rows={Math.min(28, Math.max(12, lines + 1))}
          value={value}
          onChange={onChange}
          onScroll={scroll}
          disabled={disabled}
          aria-label={label}
          aria-invalid={mistake !== null}
          data-testid="json-text"
        />
      </div>
      <div className="jsonbox__foot" aria-live="polite">
        {mistake ? (
          <>
            <span className="bad" data-testid="json-mistake">
              {t('merchants.json.at', {
                line: mistake.line,
                column: mistake.column,
                reason: t(`merchants.json.reason.${mistake.reason}`),
              })}
            </span>
            <button type="button" className="plainbutton" onClick={go} data-testid="json-go">
              {t('merchants.json.goTo')}
            </button>
          </>
        ) : (
          <>
            <span className="good" data-testid="json-valid">
              {t('merchants.json.valid')}
            </span>
            {'value' in checked &&
              checked.duplicates.map((name) => (
                <span key={name} className="warn" data-testid="json-duplicate">
                  {t('merchants.json.reason.duplicate', { name })}
                </span>
              ))}
          </>
        )}
      </div>
    </div>
  );
}
