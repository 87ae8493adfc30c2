import { useTranslation } from 'react-i18next';
import type { ManyAnswer } from '../api/types';
import { Button } from './Button';
import { Figure, Figures } from './Figures';

/** most is how many of those that were not done are listed. */
const most = 200;

interface Props {
  answer: ManyAnswer;
  /** nameOf tells who a submission belongs to. */
  nameOf: (id: string) => string;
  onAgain: (ids: string[]) => void;
  onClose: () => void;
}

/** ManyResult says of an action on many submissions which were not done and why, and offers to repeat it for those. */
export function ManyResult({ answer, nameOf, onAgain, onClose }: Props) {
  const { t } = useTranslation();
  const failed = answer.failed ?? [];
  return (
    <div className="stack" data-testid="many-result">
      <Figures>
        <Figure name={t('audits.doneN')} value={(answer.done ?? []).length} tone="good" testId="many-done" />
        <Figure name={t('audits.notDoneN')} value={failed.length} tone="bad" testId="many-failed" />
      </Figures>
      {failed.length > 0 && (
        <>
          <p className="banner" role="status">
            {t('audits.notDoneHint')}
          </p>
          <ul className="whywho">
            {failed.slice(0, most).map((f) => (
              <li key={f.id}>
                <b>{nameOf(f.id)}</b>
                <span>{f.detail}</span>
              </li>
            ))}
          </ul>
          {failed.length > most && <p className="faint">{t('merchants.bulkShownFailed', { n: most })}</p>}
        </>
      )}
      <div className="buttons">
        {failed.length > 0 && (
          <Button onClick={() => onAgain(failed.map((f) => f.id))} data-testid="many-again">
            {t('audits.again', { n: failed.length })}
          </Button>
        )}
        <Button variant="outline" theme="default" onClick={onClose} data-testid="many-close">
          {t('common.close')}
        </Button>
      </div>
    </div>
  );
}
