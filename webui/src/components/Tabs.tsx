import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef } from 'react';

export interface Tab {
  key: string;
  title: string;
  /** count stands behind the title; nothing stands there for 0. */
  count?: number;
  render: () => ReactNode;
}

interface Props {
  label: string;
  tabs: readonly Tab[];
  value: string;
  onChange: (key: string) => void;
}

/** Tabs shows one of several views under a row of their names; arrow keys, Home and End go along the row. */
export function Tabs({ label, tabs, value, onChange }: Props) {
  const id = useId();
  const row = useRef<HTMLDivElement>(null);
  const at = Math.max(
    0,
    tabs.findIndex((tab) => tab.key === value),
  );
  const open = tabs[at];

  // On a phone the row is longer than the screen: the open one is moved into sight, without moving the page.
  useEffect(() => {
    const box = row.current;
    const tab = box?.children[at];
    if (!box || !(tab instanceof HTMLElement)) return;
    box.scrollTo({ left: tab.offsetLeft - (box.clientWidth - tab.offsetWidth) / 2 });
  }, [at]);

  function key(event: KeyboardEvent) {
    const last = tabs.length - 1;
    const to = { ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at === 0 ? last : at - 1, Home: 0, End: last }[
      event.key
    ];
    const tab = to === undefined ? undefined : tabs[to];
    if (to === undefined || !tab) return;
    event.preventDefault();
    onChange(tab.key);
    const button = row.current?.children[to];
    if (button instanceof HTMLElement) button.focus({ preventScroll: true });
  }

  return (
    <>
      <div className="tabs" role="tablist" tabIndex={-1} aria-label={label} ref={row} onKeyDown={key}>
        {tabs.map((tab) => (
          <button
            key={tab.key}
            type="button"
            role="tab"
            id={`${id}-${tab.key}`}
            aria-selected={tab === open}
            aria-controls={tab === open ? `${id}-view` : undefined}
            tabIndex={tab === open ? 0 : -1}
            onClick={() => onChange(tab.key)}
            data-testid={`tab-${tab.key}`}
          >
            {tab.title}
            {tab.count ? <span className="tabs__count">{tab.count}</span> : null}
          </button>
        ))}
      </div>
      {open && (
        <div id={`${id}-view`} role="tabpanel" aria-labelledby={`${id}-${open.key}`} data-testid={`view-${open.key}`}>
          {open.render()}
        </div>
      )}
    </>
  );
}
