import { useQueryClient } from '@tanstack/react-query';
import type { TFunction } from 'i18next';
import { useCallback, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { actOnMany } from '../api/audits';
import { keys, type SubmissionFilter, submissionPageQuery } from '../api/queries';
import type { ManyAnswer, Rollout, SubmissionItem } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import type { Column } from '../components/DataList';
import { Merchant } from '../components/Face';
import { ManyResult } from '../components/ManyResult';
import { ProblemPanel } from '../components/ProblemPanel';
import { EmptyNote, Loading } from '../components/QueryView';
import { SearchBox } from '../components/SearchBox';
import { SidePanel } from '../components/SidePanel';
import { StatePicker } from '../components/StateBar';
import { SubmissionTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { Trouble } from '../components/Trouble';
import { toast } from '../components/toast';
import { useFilter } from '../components/useFilter';
import { useNow } from '../components/useNow';
import { aPage, type Pages, usePages } from '../components/usePages';
import { VirtualTable } from '../components/VirtualTable';
import { doable } from '../logic/bulk';
import type { SubmissionAction } from '../logic/states';
import { absolute, told } from '../logic/time';
import { Resubmit } from './Resubmit';

/** Waits says what a submission without trouble waits for. */
function Waits({ submission, manual }: { submission: SubmissionItem; manual: boolean }) {
  const { t, i18n } = useTranslation();
  const now = useNow();
  const { state, wait_until: until, gray } = submission;
  if (state === 'queued') return <span className="faint">{t('submission.waitsForTurn')}</span>;
  if (state === 'trial') return <span className="faint">{t('submission.waitsForSubmit')}</span>;
  if (state === 'approved' && manual) return <span className="faint">{t('submission.waitsForRelease')}</span>;
  if (state === 'releasing' && gray) {
    return (
      <span className="faint" data-testid="row-gray">
        {t('board.grayNow', { percentage: gray.percentage, step: gray.step, steps: gray.steps })}
        {!gray.next_at && ` · ${t('board.grayHand')}`}
      </span>
    );
  }
  if (!until || ['released', 'superseded', 'canceled'].includes(state)) return <span className="none">—</span>;
  const at = Date.parse(until);
  return (
    <span className="faint" title={absolute(at, i18n.language)}>
      {t('submission.nextLook', { time: told(at, now, i18n.language) })}
    </span>
  );
}

type Picked = ReadonlyMap<string, SubmissionItem>;

const keyOf = (s: SubmissionItem) => s.appid;

function columnsOf(t: TFunction, rolloutId: string, byHand: boolean): Column<SubmissionItem>[] {
  return [
    {
      key: 'name',
      title: t('authorizers.name'),
      card: 'head',
      render: (s) => (
        <Link
          className="plain"
          to={{ pathname: `/rollouts/${rolloutId}/${s.id}`, search: window.location.search }}
          data-testid={`open-submission-${s.appid}`}
        >
          <Merchant name={s.nick_name} appid={s.appid} />
        </Link>
      ),
    },
    {
      key: 'state',
      title: t('common.state'),
      width: '140px',
      card: 'corner',
      render: (s) => <SubmissionTag state={s.state} />,
    },
    {
      key: 'note',
      title: t('common.details'),
      width: '42%',
      render: (s) => <Trouble submission={s} otherwise={<Waits submission={s} manual={byHand} />} />,
    },
    {
      key: 'at',
      title: t('common.updatedAt'),
      width: '130px',
      render: (s) => <Time value={s.updated_at ?? s.created_at} />,
    },
  ];
}

interface Picking {
  picked: Picked;
  all: boolean;
  pickAll: (on: boolean) => void;
  pick: (some: SubmissionItem[], on: boolean) => void;
}

function pickColumn(t: TFunction, { picked, all, pickAll, pick }: Picking): Column<SubmissionItem> {
  return {
    key: 'pick',
    title: '',
    width: '52px',
    card: 'pick',
    head: (
      <input
        type="checkbox"
        className="tick"
        aria-label={t('audits.pickAll')}
        checked={all}
        ref={(box) => {
          if (box) box.indeterminate = picked.size > 0 && !all;
        }}
        onChange={(e) => pickAll(e.target.checked)}
        data-testid="pick-shown"
      />
    ),
    render: (s) => (
      <input
        type="checkbox"
        className="tick"
        aria-label={t('audits.pick', { name: s.nick_name || s.appid })}
        checked={picked.has(s.id)}
        onChange={(e) => pick([s], e.target.checked)}
        data-testid={`pick-${s.appid}`}
      />
    ),
  };
}

interface BarProps {
  picked: Picked;
  pages: Pages<SubmissionItem>;
  setPicked: (picked: Picked) => void;
}

/** PickBar says how many are picked and what may be done with them. */
function PickBar({ picked, pages, setPicked }: BarProps) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const [reading, setReading] = useState(false);
  const [answer, setAnswer] = useState<{ action: SubmissionAction; many: ManyAnswer } | null>(null);
  const [mending, setMending] = useState<string[] | null>(null);
  // What has been acted on is named after it is picked no longer.
  const [names, setNames] = useState<Picked>(picked);
  const nameOf = (id: string) => names.get(id)?.nick_name || names.get(id)?.appid || id;
  const list = [...picked.values()];
  const mendable = list.filter((s) => s.state === 'rejected' || s.state === 'withdrawn');
  const total = pages.total ?? 0;

  async function pickFound() {
    setReading(true);
    try {
      setPicked(new Map((await pages.all()).map((s) => [s.id, s])));
    } catch (thrown) {
      toast.problem(thrown, t('problem.generic'));
    } finally {
      setReading(false);
    }
  }

  function act(action: SubmissionAction, ids: string[], of: Picked) {
    confirm({
      title: t('board.many', { action: t(`submission.actions.${action}`), n: ids.length }),
      hint: action === 'release' ? t('board.manyRelease') : t(`submission.confirmHint.${action}`),
      ok: t(`submission.actions.${action}`),
      danger: action === 'cancel' || action === 'withdraw',
      run: async () => {
        const many = await actOnMany(action, ids);
        setNames(of);
        setAnswer({ action, many });
        setPicked(new Map());
        void client.invalidateQueries({ queryKey: keys.submissions });
        void client.invalidateQueries({ queryKey: keys.rollouts });
      },
    });
  }

  return (
    <>
      {list.length > 0 && (
        <section className="pickbar" aria-label={t('board.picked', { n: list.length })} data-testid="pick-bar">
          <span role="status" data-testid="picked">
            {t('board.picked', { n: list.length })}
          </span>
          {total > list.length && (
            <button
              type="button"
              className="plainbutton"
              disabled={reading}
              onClick={() => void pickFound()}
              data-testid="pick-found"
            >
              {t('merchants.pickFound', { n: total })}
            </button>
          )}
          <button type="button" className="plainbutton" onClick={() => setPicked(new Map())} data-testid="pick-none">
            {t('merchants.pickNone')}
          </button>
          {doable(list).map(({ action, ids }) => (
            <Button
              key={action}
              variant="outline"
              theme={action === 'cancel' || action === 'withdraw' ? 'danger' : 'default'}
              onClick={() => act(action, ids, picked)}
              data-testid={`many-${action}`}
            >
              {t(`submission.actions.${action}`)} {ids.length}
            </Button>
          ))}
          {mendable.length > 0 && (
            <Button
              onClick={() => {
                setNames(picked);
                setMending(mendable.map((s) => s.id));
              }}
              data-testid="many-resubmit"
            >
              {t('board.submitAgain')} {mendable.length}
            </Button>
          )}
        </section>
      )}
      <SidePanel title={t('audits.result')} open={answer !== null} onClose={() => setAnswer(null)} testId="many-panel">
        {answer && (
          <ManyResult
            answer={answer.many}
            nameOf={nameOf}
            onAgain={(ids) => {
              setAnswer(null);
              act(answer.action, ids, names);
            }}
            onClose={() => setAnswer(null)}
          />
        )}
      </SidePanel>
      <SidePanel
        title={t('board.submitAgain')}
        open={mending !== null}
        onClose={() => setMending(null)}
        testId="resubmit-panel"
      >
        {mending && (
          <Resubmit
            ids={mending}
            nameOf={nameOf}
            onClose={() => {
              setMending(null);
              setPicked(new Map());
            }}
          />
        )}
      </SidePanel>
    </>
  );
}

function Board({ rollout, filter }: { rollout: Rollout; filter: SubmissionFilter }) {
  const { t } = useTranslation();
  const may = useCan('operator');
  const pages = usePages((cursor) => submissionPageQuery({ ...filter, limit: aPage }, cursor));
  const { rows, total, failed } = pages;
  const [picked, setPicked] = useState<Picked>(new Map());
  // Of what is picked and read again since, the newer state counts.
  const present = useMemo(() => {
    const newer = new Map(picked);
    if (picked.size > 0) for (const s of rows) if (newer.has(s.id)) newer.set(s.id, s);
    return newer;
  }, [picked, rows]);
  const all = useMemo(() => rows.length > 0 && rows.every((s) => picked.has(s.id)), [rows, picked]);
  const pick = useCallback(
    (some: SubmissionItem[], on: boolean) =>
      setPicked((old) => {
        const next = new Map(old);
        for (const s of some) {
          if (on) next.set(s.id, s);
          else next.delete(s.id);
        }
        return next;
      }),
    [],
  );
  const byHand = rollout.spec.release?.mode === 'manual';
  const columns = useMemo(() => {
    const words = columnsOf(t, rollout.id, byHand);
    return may ? [pickColumn(t, { picked, all, pickAll: (on) => pick(rows, on), pick }), ...words] : words;
  }, [t, rollout.id, byHand, may, picked, all, rows, pick]);

  if (total === undefined) {
    return failed ? <ProblemPanel error={failed.error} onRetry={() => void failed.refetch()} /> : <Loading rows={6} />;
  }
  return (
    <>
      {failed && <ProblemPanel stale error={failed.error} onRetry={() => void failed.refetch()} />}
      {pages.room === 0 ? (
        <EmptyNote title={filter.q ? t('common.noMatches') : t('submission.empty')} />
      ) : (
        <VirtualTable
          columns={columns}
          rows={rows}
          total={pages.room}
          rowKey={keyOf}
          rowClass={(s) => (picked.has(s.id) ? 'picked' : undefined)}
          testId="submission"
          label={t('nav.authorizers')}
          onSeen={pages.onSeen}
        />
      )}
      {(total ?? 0) > 0 && (
        <div className="more">
          <span className="faint" data-testid="list-total">
            {t('common.total', { n: total ?? 0 })}
          </span>
        </div>
      )}
      {may && <PickBar picked={present} pages={pages} setPicked={setPicked} />}
    </>
  );
}

/** RolloutMerchants is the board of a rollout: its merchants, ten thousand of them if need be. */
export function RolloutMerchants({ rollout }: { rollout: Rollout }) {
  const { t } = useTranslation();
  const [filter, setFilter] = useFilter(['state', 'q']);
  const search = useCallback((q: string) => setFilter('q', q), [setFilter]);
  const asked: SubmissionFilter = {
    rollout_id: rollout.id,
    state: filter.state || undefined,
    q: filter.q || undefined,
  };
  return (
    <div className="panel panel--flush panel--board" data-testid="rollout-merchants">
      <div className="panel__filter panel__filter--wide">
        <StatePicker
          counts={rollout.counts}
          total={rollout.total}
          picked={filter.state}
          onPick={(s) => setFilter('state', s)}
        />
        <SearchBox value={filter.q} onSearch={search} placeholder={t('board.search')} testId="board-search" />
      </div>
      <Board key={JSON.stringify(asked)} rollout={rollout} filter={asked} />
    </div>
  );
}
