import { useInfiniteQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { timelineQuery } from '../api/merchants';
import type { Happening } from '../api/types';
import { Button } from '../components/Button';
import { itemsOf } from '../components/DataList';
import { Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { EmptyNote, Loading } from '../components/QueryView';
import { SubmissionTag, ToneTag } from '../components/StateTag';
import { useLabels } from '../components/useLabels';
import { useNow } from '../components/useNow';
import { plainLines } from '../logic/text';
import { absolute } from '../logic/time';
import { byDay, happeningLink, happeningTone, nearDay } from '../logic/timeline';

function useWords() {
  const { t, i18n } = useTranslation();
  const known = (key: string) => i18n.exists(key);
  const what = (kind: string) =>
    known(`merchants.timeline.what.${kind}`) ? t(`merchants.timeline.what.${kind as 'nickname'}`) : kind;
  return {
    title: (h: Happening): string => {
      switch (h.kind) {
        case 'renamed':
          return t('merchants.timeline.renamed', { name: (h.added ?? []).join() });
        case 'change_asked':
          return t('merchants.timeline.change_asked', { what: what(h.state) });
        case 'change_decided':
          return t('merchants.timeline.change_decided', { what: what(h.state.split('/')[0] ?? '') });
        case 'deed': {
          const deed = known(`merchants.timeline.deeds.${h.subject}`)
            ? t(`merchants.timeline.deeds.${h.subject as 'bind-tester'}`)
            : h.subject;
          return t('merchants.timeline.deed', { what: deed });
        }
        case 'registration_started':
        case 'registration_ended': {
          const own = `merchants.timeline.${h.subject}_${h.kind.slice('registration_'.length)}`;
          return t((known(own) ? own : `merchants.timeline.${h.kind}`) as 'merchants.timeline.registration_ended');
        }
        default:
          return known(`merchants.timeline.${h.kind}`)
            ? t(`merchants.timeline.${h.kind as 'bound'}`, { subject: h.subject })
            : h.kind;
      }
    },
    outcome: (h: Happening): string => {
      if (h.kind === 'change_decided') {
        const state = h.state.split('/')[1] ?? '';
        return known(`merchants.timeline.changeState.${state}`)
          ? t(`merchants.timeline.changeState.${state as 'lost'}`)
          : state;
      }
      if (h.kind === 'registration_ended') {
        return known(`merchants.timeline.registrationState.${h.state}`)
          ? t(`merchants.timeline.registrationState.${h.state as 'failed'}`)
          : h.state;
      }
      return '';
    },
  };
}

function CameAndWent({ happening }: { happening: Happening }) {
  const { t } = useTranslation();
  const words = useLabels();
  const name = (v: string) => (happening.kind === 'scopes' ? words.scope(Number(v)) : v);
  const added = happening.added ?? [];
  const removed = happening.removed ?? [];
  if (happening.kind === 'renamed') {
    return <p className="muted">{t('merchants.timeline.formerly', { name: removed.join() })}</p>;
  }
  if (added.length + removed.length === 0) return null;
  return (
    <span className="pills">
      {added.map((v) => (
        <span key={`+${v}`} className="pill pill--on">
          + {name(v)}
        </span>
      ))}
      {removed.map((v) => (
        <span key={`-${v}`} className="pill pill--gone">
          − {name(v)}
        </span>
      ))}
    </span>
  );
}

function Entry({ happening: h }: { happening: Happening }) {
  const { i18n } = useTranslation();
  const words = useWords();
  const to = happeningLink(h);
  const title = words.title(h);
  const outcome = words.outcome(h);
  const at = Date.parse(h.at);
  const clock = new Intl.DateTimeFormat(i18n.language, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(
    at,
  );
  const about = h.kind === 'change_asked' || h.kind === 'change_decided' ? h.subject : '';
  const text = h.kind === 'note' ? h.text : plainLines(h.text).join('\n');
  return (
    <li className="happening" data-testid="happening" data-kind={h.kind}>
      <time dateTime={h.at} title={absolute(at, i18n.language)}>
        {clock}
      </time>
      <i className={`dot tone--${happeningTone(h)}`} aria-hidden="true" />
      <div className="happening__what">
        <div className="happening__head">
          {to ? <Link to={to}>{title}</Link> : <b>{title}</b>}
          {h.kind === 'submission_ended' && <SubmissionTag state={h.state} />}
          {outcome && <ToneTag tone={happeningTone(h)} text={outcome} />}
          {h.by && <span className="faint happening__by">{h.by}</span>}
        </div>
        {about && <p className="muted">{about}</p>}
        {text && <p className={h.kind === 'note' ? 'notetext happening__note' : 'notetext muted'}>{text}</p>}
        <CameAndWent happening={h} />
      </div>
    </li>
  );
}

/** MerchantTimeline is everything that happened to a merchant, newest first. */
export function MerchantTimeline({ appid }: { appid: string }) {
  const { t, i18n } = useTranslation();
  const now = useNow();
  const list = useInfiniteQuery(timelineQuery(appid));
  const days = byDay(itemsOf(list));
  const dayName = (at: number) => {
    const near = nearDay(at, now);
    const date = new Intl.DateTimeFormat(i18n.language, {
      year: 'numeric',
      month: i18n.language.startsWith('zh') ? 'long' : 'short',
      day: 'numeric',
      weekday: 'short',
    }).format(at);
    return near ? `${t(`merchants.timeline.${near}`)} · ${date}` : date;
  };
  return (
    <Panel testId="timeline">
      {list.isPending && <Loading rows={6} />}
      {list.isError && !list.data && <ProblemPanel error={list.error} onRetry={() => void list.refetch()} />}
      {list.data && list.isRefetchError && (
        <ProblemPanel stale error={list.error} onRetry={() => void list.refetch()} />
      )}
      {list.data && days.length === 0 && <EmptyNote title={t('merchants.timeline.empty')} />}
      {days.map((d) => (
        <section key={d.day} className="timelineday">
          <h3>{dayName(d.at)}</h3>
          <ol className="happenings">
            {d.items.map((h) => (
              <Entry key={h.id} happening={h} />
            ))}
          </ol>
        </section>
      ))}
      {list.isFetchNextPageError && <ProblemPanel compact error={list.error} />}
      {list.hasNextPage && (
        <div className="more">
          <Button
            variant="outline"
            loading={list.isFetchingNextPage}
            onClick={() => void list.fetchNextPage()}
            data-testid="load-more"
          >
            {t('common.loadMore')}
          </Button>
        </div>
      )}
    </Panel>
  );
}
