import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { CloseIcon } from 'tdesign-icons-react';
import { Drawer } from 'tdesign-react';
import { Button } from './Button';
import { ModalBody } from './ModalBody';

interface Props {
  title: string;
  open: boolean;
  onClose: () => void;
  children: ReactNode;
  testId: string;
}

function Content({ title, open, onClose, children, testId }: Props) {
  const { t } = useTranslation();
  return (
    <ModalBody box=".t-drawer" label={title} visible={open} onEscape={onClose} className="side" testId={testId}>
      <div className="side__head">
        <h2>{title}</h2>
        <Button
          variant="text"
          theme="default"
          shape="square"
          icon={<CloseIcon />}
          aria-label={t('common.close')}
          onClick={onClose}
          data-testid="close"
        />
      </div>
      {children}
    </ModalBody>
  );
}

/** SidePanel slides in from the right; on a phone it fills the screen. Escape closes it. */
export function SidePanel(props: Props) {
  return (
    <Drawer
      visible={props.open}
      header={false}
      size="min(680px, 100vw)"
      footer={false}
      closeBtn={false}
      closeOnEscKeydown={false}
      preventScrollThrough={false}
      destroyOnClose
      onClose={props.onClose}
    >
      <Content {...props} />
    </Drawer>
  );
}
