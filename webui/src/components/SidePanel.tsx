import type { ReactNode } from 'react';
import { Drawer } from 'tdesign-react';

interface Props {
  title: ReactNode;
  open: boolean;
  onClose: () => void;
  children: ReactNode;
  testId: string;
}

/** SidePanel slides in from the right; on a phone it fills the screen. Escape closes it. */
export function SidePanel({ title, open, onClose, children, testId }: Props) {
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
