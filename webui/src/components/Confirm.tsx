import { createContext, type ReactNode, useCallback, useContext, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Dialog } from 'tdesign-react';
import { Button } from './Button';
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
const Open = createContext(false);

/** useConfirm asks before something is done that costs or cannot be undone. */
export function useConfirm() {
  return useContext(Context);
}

/** useConfirming says whether a question is on the screen, so that Escape answers it and closes nothing behind it. */
export function useConfirming() {
  return useContext(Open);
}

export function ConfirmProvider({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  const [question, setQuestion] = useState<Question | null>(null);
  const [visible, setVisible] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  const asker = useRef<Element | null>(null);

  const ask = useCallback((q: Question) => {
    asker.current = document.activeElement;
    setQuestion(q);
    setError(null);
    setBusy(false);
    setVisible(true);
  }, []);

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
      <Open.Provider value={visible}>{children}</Open.Provider>
      <Dialog
        visible={visible}
        header={question?.title ?? ''}
        width="min(440px, calc(100vw - 32px))"
        placement="center"
        preventScrollThrough={false}
        closeOnOverlayClick={!busy}
        closeBtn={false}
        footer={false}
        onClose={() => setVisible(false)}
        onCancel={() => setVisible(false)}
        onClosed={() => {
          // The keyboard goes on where it was.
          if (asker.current instanceof HTMLElement && asker.current.isConnected) asker.current.focus();
        }}
      >
        <div className="confirm" data-testid="confirm">
          {question?.hint && <div className="muted">{question.hint}</div>}
          {error !== null && <ProblemPanel compact error={error} />}
          <div className="confirm__buttons">
            <Button
              variant="outline"
              theme="default"
              disabled={busy}
              onClick={() => setVisible(false)}
              data-testid="confirm-cancel"
            >
              {t('common.cancel')}
            </Button>
            <Button
              theme={question?.danger ? 'danger' : 'primary'}
              loading={busy}
              onClick={() => void run()}
              data-testid="confirm-ok"
            >
              {question?.ok}
            </Button>
          </div>
        </div>
      </Dialog>
    </Context.Provider>
  );
}
