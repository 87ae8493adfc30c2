import { useTranslation } from 'react-i18next';
import { CopyIcon } from 'tdesign-icons-react';
import { copyText } from '../logic/clipboard';
import { Button } from './Button';
import { toast } from './toast';

/** useCopy copies and says whether it worked. */
export function useCopy() {
  const { t } = useTranslation();
  return async (text: string) => {
    if (await copyText(text)) toast.success(t('common.copied'));
    else toast.error(t('common.copyFailed'));
  };
}

/** CopyLine shows a text that is to be copied as a whole. */
export function CopyLine({ text, testId }: { text: string; testId?: string }) {
  const { t } = useTranslation();
  const copy = useCopy();
  return (
    <div className="copyline">
      <code data-testid={testId}>{text}</code>
      <Button
        variant="text"
        shape="square"
        size="small"
        icon={<CopyIcon />}
        aria-label={t('common.copy')}
        title={t('common.copy')}
        onClick={() => void copy(text)}
      />
    </div>
  );
}
