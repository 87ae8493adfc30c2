import { createContext, type ReactNode, useCallback, useContext, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Dialog } from 'tdesign-react';
import { onSignedOut } from '../api/client';
import { Button } from './Button';
import { ModalBody } from './ModalBody';
import { ProblemPanel } from './ProblemPanel';

interface Question {
  title: string;
  hint?: ReactNode;
  /** ok names the button after what it does. */
  ok: string;
  danger?: boolean;
  /** run is the deed; the dialog stays open with the reason when it fails. */
  run: () => Promise<unknown>;
}

const Context = createContext<(question: Question) => void>(() => {});

/** useConfirm asks before something is done that costs or cannot be undone. */
export function useConfirm() {
  return useContext(Context);
}

interface BodyProps {
  question: Question;
  visible: boolean;
  busy: boolean;
  error: unknown;
  onCancel: () => void;
  onOk: () => void;
}

function Body({ question, visible, busy, error, onCancel, onOk }: BodyProps) {
  const { t } = useTranslation();
  return (
    <ModalBody
      box=".t-dialog__ctx"
      label={question.title}
      visible={visible}
      onEscape={onCancel}
      className="confirm"
      testId="confirm"
    >
      {question.hint && <div className="muted">{question.hint}</div>}
      {error !== null && <ProblemPanel compact error={error} />}
      <div className="confirm__buttons">
        <Button
          variant="outline"
          theme="default"
          disabled={busy}
          onClick={onCancel}
          data-first={question.danger || undefined}
          data-testid="confirm-cancel"
        >
          {t('common.cancel')}
        </Button>
        <Button
          theme={question.danger ? 'danger' : 'primary'}
          loading={busy}
          onClick={onOk}
          data-first={!question.danger || undefined}
          data-testid="confirm-ok"
        >
          {question.ok}
        </Button>
      </div>
    </ModalBody>
  );
}

export function ConfirmProvider({ children }: { children: ReactNode }) {
  const [question, setQuestion] = useState<Question | null>(null);
  const [visible, setVisible] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  // At sign-in there is nothing left to ask.
  useEffect(() => onSignedOut(() => setVisible(false)), []);

  const ask = useCallback((q: Question) => {
    setQuestion(q);
    setError(null);
    setBusy(false);
    setVisible(true);
  }, []);

  // What has begun is waited for.
  const cancel = useCallback(() => setVisible(busy), [busy]);

  async function run() {
    if (!question || busy) return;
    setBusy(true);
    setError(null);
    try {
      await question.run();
      setVisible(false);
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }

  return (
    <Context.Provider value={ask}>
      {children}
      <Dialog
        visible={visible}
        header={question?.title ?? ''}
        width="min(440px, calc(100vw - 32px))"
        placement="center"
        preventScrollThrough={false}
        closeOnOverlayClick={!busy}
        closeBtn={false}
        footer={false}
        closeOnEscKeydown={false}
        destroyOnClose
        onClose={cancel}
      >
        {question && (
          <Body
            question={question}
            visible={visible}
            busy={busy}
            error={error}
            onCancel={cancel}
            onOk={() => void run()}
          />
        )}
      </Dialog>
    </Context.Provider>
  );
}
