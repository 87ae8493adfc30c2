import { useQuery } from '@tanstack/react-query';
import { type KeyboardEvent, useEffect, useId, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate } from 'react-router-dom';
import { SearchIcon } from 'tdesign-icons-react';
import { Dialog } from 'tdesign-react';
import { api, call } from '../api/client';
import { keys } from '../api/queries';
import { commandOf, places } from '../logic/shortcuts';
import { Button } from './Button';
import { ModalBody } from './ModalBody';

interface Found {
  to: string;
  title: string;
  note?: string;
  group: string;
}

export interface PaletteProps {
  /** pages are those that the user may open, with their names. */
  pages: { to: string; title: string }[];
}

const shown = 6;

/** useFound looks for pages by name at once and for merchants and rollouts at the server, a moment after the last key. */
function useFound(typed: string, pages: PaletteProps['pages']): { found: Found[]; busy: boolean } {
  const { t } = useTranslation();
  const [asked, setAsked] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => setAsked(typed.trim()), 200);
    return () => clearTimeout(timer);
  }, [typed]);
  const enabled = asked.length > 0;
  const merchants = useQuery({
    queryKey: [...keys.authorizers, 'palette', asked],
    enabled,
    queryFn: ({ signal }) => call(api.GET('/authorizers', { params: { query: { q: asked, limit: shown } }, signal })),
  });
  const rollouts = useQuery({
    queryKey: [...keys.rollouts, 'palette', asked],
    enabled,
    queryFn: ({ signal }) => call(api.GET('/rollouts', { params: { query: { q: asked, limit: shown } }, signal })),
  });
  const word = typed.trim().toLowerCase();
  const found: Found[] = pages
    .filter((p) => p.title.toLowerCase().includes(word))
    .slice(0, word === '' ? pages.length : shown)
    .map((p) => ({ ...p, group: t('palette.pages') }));
  if (enabled) {
    for (const m of merchants.data?.items ?? []) {
      found.push({
        to: `/authorizers/${m.appid}`,
        title: m.nick_name || m.appid,
        note: m.appid,
        group: t('palette.merchants'),
      });
    }
    for (const r of rollouts.data?.items ?? []) {
      found.push({ to: `/rollouts/${r.id}`, title: r.name, note: r.user_version, group: t('palette.rollouts') });
    }
  }
  return { found, busy: asked !== typed.trim() || merchants.isFetching || rollouts.isFetching };
}

function Search({ pages, onClose }: PaletteProps & { onClose: () => void }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const [typed, setTyped] = useState('');
  const [at, setAt] = useState(0);
  const { found, busy } = useFound(typed, pages);
  const active = Math.min(at, found.length - 1);

  function open(one?: Found) {
    if (!one) return;
    onClose();
    void navigate(one.to);
  }

  function key(event: KeyboardEvent) {
    if (event.nativeEvent.isComposing) return;
    if (event.key === 'Enter') open(found[active]);
    else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      const step = event.key === 'ArrowDown' ? 1 : -1;
      const next = found.length === 0 ? 0 : (active + step + found.length) % found.length;
      setAt(next);
      list.current?.querySelector(`[data-at="${next}"]`)?.scrollIntoView({ block: 'nearest' });
    } else return;
    event.preventDefault();
  }

  return (
    <div className="palette">
      <input
        className="input palette__input"
        role="combobox"
        aria-label={t('palette.open')}
        aria-expanded="true"
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={active >= 0 ? `${id}-${active}` : undefined}
        autoComplete="off"
        spellCheck={false}
        placeholder={t('palette.hint')}
        value={typed}
        onChange={(e) => {
          setTyped(e.target.value);
          setAt(0);
        }}
        onKeyDown={key}
        data-testid="palette-input"
      />
      <div
        className="palette__list"
        id={`${id}-list`}
        role="listbox"
        tabIndex={-1}
        aria-label={t('palette.open')}
        ref={list}
      >
        {found.map((f, i) => (
          <div key={f.to} role="presentation">
            {f.group !== found[i - 1]?.group && (
              <div className="combo__group" role="presentation">
                {f.group}
              </div>
            )}
            {/* biome-ignore lint/a11y/useKeyWithClickEvents: the input hears the keys. */}
            <div
              id={`${id}-${i}`}
              className="combo__option"
              role="option"
              tabIndex={-1}
              aria-selected={i === active}
              data-active={i === active || undefined}
              data-at={i}
              data-testid="palette-option"
              onClick={() => open(f)}
            >
              <span>{f.title}</span>
              {f.note && <code>{f.note}</code>}
            </div>
          </div>
        ))}
      </div>
      <p className="faint" role="status">
        {found.length > 0 ? t('palette.keys') : busy ? t('palette.searching') : t('palette.nothing')}
      </p>
    </div>
  );
}

function Help() {
  const { t } = useTranslation();
  const rows: [string, string][] = [
    ['Ctrl K, ⌘K, /', t('palette.shortcutList.palette')],
    ['?', t('palette.shortcutList.help')],
    ...Object.entries(places).map(([letter, { key }]): [string, string] => [
      `g ${letter}`,
      t(`palette.shortcutList.${key}`),
    ]),
  ];
  return (
    <dl className="shortcuts" data-testid="shortcuts">
      {rows.map(([pressed, does]) => (
        <div key={pressed}>
          <dt>
            <kbd>{pressed}</kbd>
          </dt>
          <dd>{does}</dd>
        </div>
      ))}
    </dl>
  );
}

function typingIn(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

/** Palette goes anywhere by a few letters: a button, Ctrl K, and the shortcuts. */
export function Palette({ pages }: PaletteProps) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [open, setOpen] = useState<'palette' | 'help' | null>(null);
  const waiting = useRef(0);
  useEffect(() => {
    const listen = (event: globalThis.KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing) return;
      const pressed = {
        key: event.key,
        ctrl: event.ctrlKey || event.metaKey,
        alt: event.altKey,
        typing: typingIn(event.target),
      };
      const command = commandOf(pressed, Date.now() - waiting.current < 1500);
      waiting.current = command === 'wait' ? Date.now() : 0;
      if (command === null || command === 'wait') return;
      event.preventDefault();
      if (command === 'palette' || command === 'help') setOpen(command);
      else void navigate(command.go);
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, [navigate]);
  const close = () => setOpen(null);
  const title = open === 'help' ? t('palette.shortcuts') : t('palette.open');
  return (
    <>
      <Button
        variant="text"
        icon={<SearchIcon />}
        aria-label={t('palette.open')}
        aria-keyshortcuts="Control+K Meta+K"
        title={`${t('palette.open')} (Ctrl K)`}
        onClick={() => setOpen('palette')}
        data-testid="palette-open"
      />
      <Dialog
        visible={open !== null}
        header={title}
        footer={false}
        closeOnEscKeydown={false}
        placement="top"
        top="12vh"
        width="min(600px, calc(100vw - 32px))"
        destroyOnClose
        preventScrollThrough={false}
        onClose={close}
      >
        <ModalBody
          box=".t-dialog__ctx"
          label={title}
          visible={open !== null}
          onEscape={close}
          className="palettebody"
          testId="palette"
        >
          {open === 'palette' && <Search pages={pages} onClose={close} />}
          {open === 'help' && <Help />}
        </ModalBody>
      </Dialog>
    </>
  );
}
