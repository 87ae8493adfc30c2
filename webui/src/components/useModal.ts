import { type RefObject, useEffect } from 'react';

// The drawers and dialogs that are open, the topmost last.
const open: HTMLElement[] = [];

/** hush keeps the keyboard and screen readers inside the topmost. */
function hush() {
  const page = document.getElementById('root');
  if (page) page.inert = open.length > 0;
  for (const [i, box] of open.entries()) box.inert = i < open.length - 1;
}

interface Options {
  /** box is the class of the drawer or dialog around the content. */
  box: '.t-drawer' | '.t-dialog__ctx';
  label: string;
  /** onEscape is called when Escape is pressed while this is the topmost. */
  onEscape: () => void;
}

/**
 * useModal makes the drawer or dialog around content one for everybody: it is named, the keyboard starts and stays in
 * it, Escape ends it, and afterwards the keyboard goes on where it was. It is for a component inside the box.
 */
export function useModal(content: RefObject<HTMLElement | null>, visible: boolean, options: Options) {
  const { box, label, onEscape } = options;
  useEffect(() => {
    const root = content.current?.closest<HTMLElement>(box);
    if (!visible || !root) return;
    const before = document.activeElement;
    root.setAttribute('role', 'dialog');
    root.setAttribute('aria-modal', 'true');
    open.push(root);
    hush();
    // The box takes the focus itself once it is shown; what is inside comes after that.
    const timer = setTimeout(() => {
      const first = content.current?.querySelector<HTMLElement>('[data-first], input:not([type=radio]), textarea');
      if (!content.current?.contains(document.activeElement)) (first ?? root).focus({ preventScroll: true });
    }, 80);
    return () => {
      clearTimeout(timer);
      open.splice(open.indexOf(root), 1);
      hush();
      const back = before instanceof HTMLElement && before.isConnected && before !== document.body;
      (back ? before : document.getElementById('content'))?.focus({ preventScroll: true });
    };
  }, [visible, content, box]);

  useEffect(() => {
    content.current?.closest(box)?.setAttribute('aria-label', label);
  }, [content, box, label]);

  useEffect(() => {
    if (!visible) return;
    const listen = (event: KeyboardEvent) => {
      const root = content.current?.closest<HTMLElement>(box);
      if (event.key !== 'Escape' || event.defaultPrevented || event.isComposing || open.at(-1) !== root) return;
      // An open list of choices is closed first, by itself.
      if (event.target instanceof Element && event.target.closest('.combo [aria-expanded="true"]')) return;
      event.preventDefault();
      onEscape();
    };
    // Caught on the way down: the boxes themselves let no key through.
    document.addEventListener('keydown', listen, true);
    return () => document.removeEventListener('keydown', listen, true);
  }, [visible, content, box, onEscape]);
}
