import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { DeleteIcon } from 'tdesign-icons-react';
import { addNote, deleteNote, notesQuery } from '../api/merchants';
import { keys } from '../api/queries';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { itemsOf } from '../components/DataList';
import { Field } from '../components/Field';
import { Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { EmptyNote, Loading } from '../components/QueryView';
import { useCan } from '../components/session';
import { TextArea } from '../components/TextArea';
import { Time } from '../components/Time';
import { toast } from '../components/toast';

const longest = 4000;
const warnAt = 400;

function Write({ appid }: { appid: string }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [text, setText] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const left = longest - [...text.trim()].length;

  async function add(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await addNote(appid, text);
      // What was typed meanwhile is the next note.
      setText((now) => (now === text ? '' : now));
      await client.invalidateQueries({ queryKey: keys.authorizer(appid) });
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }

  return (
    <form className="form" onSubmit={(e) => void add(e)}>
      <Field
        name="note"
        label={t('merchants.notes.write')}
        hint={left < warnAt ? t('merchants.notes.left', { n: left }) : undefined}
        error={left < 0 ? t('merchants.notes.tooLong', { n: -left }) : undefined}
      >
        <TextArea rows={3} value={text} onChange={setText} placeholder={t('merchants.notes.placeholder')} />
      </Field>
      {error !== null && <ProblemPanel compact error={error} />}
      <div>
        <Button type="submit" loading={busy} disabled={text.trim() === '' || left < 0} data-testid="add-note">
          {t('merchants.notes.add')}
        </Button>
      </div>
    </form>
  );
}

/** MerchantNotes are what operators write down about a merchant. */
export function MerchantNotes({ appid }: { appid: string }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  const list = useInfiniteQuery(notesQuery(appid));
  const notes = itemsOf(list);

  const remove = (id: string, text: string) =>
    confirm({
      title: t('merchants.notes.deleteConfirm'),
      hint: <span className="notetext">{text.length > 200 ? `${text.slice(0, 200)}…` : text}</span>,
      ok: t('merchants.notes.delete'),
      danger: true,
      run: async () => {
        await deleteNote(appid, id);
        await client.invalidateQueries({ queryKey: keys.authorizer(appid) });
        toast.success(t('merchants.notes.deleted'));
      },
    });

  return (
    <Panel testId="notes">
      {may && <Write appid={appid} />}
      {list.isPending && <Loading rows={3} />}
      {list.isError && (
        <ProblemPanel compact stale={list.data !== undefined} error={list.error} onRetry={() => void list.refetch()} />
      )}
      {list.data && notes.length === 0 && (
        <EmptyNote title={t('merchants.notes.empty')} hint={may ? t('merchants.notes.emptyHint') : undefined} />
      )}
      {notes.length > 0 && (
        <ul className="notes" aria-label={t('merchants.notes.list')}>
          {notes.map((n) => (
            <li key={n.id} data-testid={`note-${n.id}`}>
              <div className="notes__head">
                <b>{n.created_by}</b>
                <span className="faint">
                  <Time value={n.created_at} exact="both" />
                </span>
                {may && (
                  <Button
                    size="small"
                    variant="text"
                    theme="default"
                    shape="square"
                    icon={<DeleteIcon />}
                    aria-label={t('merchants.notes.delete')}
                    title={t('merchants.notes.delete')}
                    onClick={() => remove(n.id, n.text)}
                    data-testid={`delete-note-${n.id}`}
                  />
                )}
              </div>
              <p className="notetext">{n.text}</p>
            </li>
          ))}
        </ul>
      )}
      {list.hasNextPage && (
        <Button variant="outline" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {t('common.loadMore')}
        </Button>
      )}
    </Panel>
  );
}
