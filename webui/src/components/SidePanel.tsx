import { type ReactNode, useEffect, useRef } from 'react';
import { Drawer } from 'tdesign-react';
import { useConfirming } from './Confirm';

interface Props {
  title: ReactNode;
  open: boolean;
  onClose: () => void;
  children: ReactNode;
  testId: string;
}

/** SidePanel slides in from the right; on a phone it fills the screen. Escape closes it. */
export function SidePanel({ title, open, onClose, children, testId }: Props) {
  const confirming = useConfirming();
  const close = useRef(onClose);
  close.current = onClose;
  // Escape also works after the focused button is gone, when the drawer itself no longer hears the keyboard.
  useEffect(() => {
    if (!open || confirming) return;
    const listen = (event: KeyboardEvent) => {
      if (event.key === 'Escape' && document.activeElement === document.body) close.current();
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, [open, confirming]);
  return (
    <Drawer
      visible={open}
      header={title}
      size="min(680px, 100vw)"
      footer={false}
      closeBtn
      closeOnEscKeydown
      preventScrollThrough={false}
      destroyOnClose
      onClose={onClose}
    >
      <div className="side" data-testid={testId}>
        {children}
      </div>
    </Drawer>
  );
}
