import { type ReactNode, useRef } from 'react';
import { useModal } from './useModal';

interface Props {
  /** box is the class of the drawer or dialog that this is the content of. */
  box: '.t-drawer' | '.t-dialog__ctx';
  label: string;
  visible: boolean;
  onEscape: () => void;
  className: string;
  testId: string;
  children: ReactNode;
}

/** ModalBody is the whole content of a drawer or dialog; see useModal. */
export function ModalBody({ className, testId, children, visible, ...options }: Props) {
  const content = useRef<HTMLDivElement>(null);
  useModal(content, visible, options);
  return (
    <div className={className} ref={content} data-testid={testId}>
      {children}
    </div>
  );
}
