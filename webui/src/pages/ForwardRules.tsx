import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { rulesOverviewQuery, rulesQuery } from '../api/queries';
import type { Rule } from '../api/types';
import { ButtonLink } from '../components/Button';
import { type Column, DataList } from '../components/DataList';
import { PageHead } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { EmptyNote } from '../components/QueryView';
import { RuleTag, useMatchWords } from '../components/RuleParts';
import { Spark } from '../components/Spark';
import { useCan } from '../components/session';
import { counted, hostOf, milliseconds, ratesOf } from '../logic/rules';

export default function ForwardRules() {
  const { t, i18n } = useTranslation();
  const may = useCan('operator');
  const list = useInfiniteQuery(rulesQuery);
  const overview = useQuery(rulesOverviewQuery);
  const words = useMatchWords();
  const of = (rule: Rule) => overview.data?.items?.find((o) => o.rule_id === rule.id);

  function backlog(rule: Rule, which: 'pending' | 'dead') {
    const o = of(rule);
    if (!o || rule.mode === 'relay') return <span className="none">—</span>;
    const text = counted(o[which], overview.data?.counted_to ?? 0, i18n.language);
    if (o[which] === 0) return <span className="none">{text}</span>;
    return (
      <Link
        className={which === 'dead' ? 'backlog backlog--bad' : 'backlog'}
        to={`/deliveries?rule_id=${rule.id}&state=${which}`}
        data-testid={`rule-${which}`}
      >
        {text}
      </Link>
    );
  }

  const columns: Column<Rule>[] = [
    {
      key: 'name',
      title: t('forward.name'),
      card: 'head',
      render: (r) => (
        <Link to={`/forward-rules/${r.id}`} className="rulename">
          <b>{r.name}</b>
          <code title={r.target_url}>{hostOf(r.target_url)}</code>
        </Link>
      ),
    },
    {
      key: 'matches',
      title: t('forward.matches'),
      render: (r) => (
        <span className="rulematch">
          {words(r).join(' · ')}
          <small className="faint">{t(`forward.modes.${r.mode}`)}</small>
        </span>
      ),
    },
    {
      key: 'chart',
      title: t('forward.last24'),
      render: (r) => {
        const o = of(r);
        if (!o) return <span className="none">—</span>;
        const rates = ratesOf(o.items ?? []);
        return (
          <span className="rulechart">
            <Spark items={o.items ?? []} stepSeconds={overview.data?.step_seconds ?? 3600} />
            <small className={rates.percent !== null && rates.percent < 95 ? 'rulechart__bad' : 'faint'}>
              {rates.percent === null
                ? t('forward.noCalls')
                : `${t('forward.successRate')} ${rates.percent}% · ${t('forward.avg', {
                    ms: milliseconds(rates.avgMs ?? 0, i18n.language),
                  })}`}
            </small>
          </span>
        );
      },
    },
    { key: 'pending', title: t('forward.pending'), align: 'end', render: (r) => backlog(r, 'pending') },
    { key: 'dead', title: t('forward.dead'), align: 'end', render: (r) => backlog(r, 'dead') },
    { key: 'state', title: t('common.state'), card: 'corner', render: (r) => <RuleTag rule={r} /> },
  ];

  return (
    <>
      <PageHead title={t('forward.title')}>
        {may && (
          <ButtonLink to="/forward-rules/new" testId="new-rule">
            {t('forward.create')}
          </ButtonLink>
        )}
      </PageHead>
      {overview.isError && <ProblemPanel error={overview.error} onRetry={() => void overview.refetch()} />}
      <div className="panel panel--flush">
        <DataList
          query={list}
          columns={columns}
          rowKey={(r) => r.id}
          testId="rule"
          label={t('forward.title')}
          empty={
            <EmptyNote
              title={t('forward.empty')}
              hint={t('forward.emptyHint')}
              action={
                may && (
                  <ButtonLink to="/forward-rules/new" variant="outline">
                    {t('forward.create')}
                  </ButtonLink>
                )
              }
            />
          }
        />
      </div>
    </>
  );
}
