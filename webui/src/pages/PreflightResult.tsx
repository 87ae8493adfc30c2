import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import type { Preflight } from '../api/types';

const shownAtFirst = 20;

/** PreflightResult says who is ready, and of the others what each lacks. */
export function PreflightResult({ result, faded }: { result: Preflight; faded: boolean }) {
  const { t } = useTranslation();
  const [showReady, setShowReady] = useState(false);
  const [showAll, setShowAll] = useState(false);
  const ready = result.ready ?? [];
  const blocked = result.blocked ?? [];
  return (
    <div className={faded ? 'preflight faded' : 'preflight'} data-testid="preflight-result">
      <div className="preflight__counts">
        <span className="bignumber bignumber--good" data-testid="preflight-ready">
          <b>{ready.length}</b> {t('newRollout.ready')}
        </span>
        <span className={blocked.length > 0 ? 'bignumber bignumber--bad' : 'bignumber'} data-testid="preflight-blocked">
          <b>{blocked.length}</b> {t('newRollout.blocked')}
        </span>
      </div>
      {ready.length === 0 && <p className="muted">{t('newRollout.noneReady')}</p>}
      {blocked.length > 0 && <p className="muted">{t('newRollout.blockedHint')}</p>}
      <ul className="blockers">
        {(showAll ? blocked : blocked.slice(0, shownAtFirst)).map((b) => (
          <li key={b.appid} data-testid={`blocked-${b.appid}`}>
            <Link to={`/authorizers/${b.appid}`} target="_blank">
              {b.nick_name || ''} <code>{b.appid}</code>
            </Link>
            {(b.blockers ?? []).map((why) => (
              <div key={why.code} className="blocker" data-testid={`blocker-${why.code}`}>
                <span>{why.detail}</span>
                {why.hint && <small>{why.hint}</small>}
              </div>
            ))}
          </li>
        ))}
      </ul>
      {blocked.length > shownAtFirst && (
        <button type="button" className="disclosure" aria-expanded={showAll} onClick={() => setShowAll(!showAll)}>
          {showAll ? t('common.showLess') : t('common.total', { n: blocked.length })}
        </button>
      )}
      {ready.length > 0 && (
        <>
          <button
            type="button"
            className="disclosure"
            aria-expanded={showReady}
            onClick={() => setShowReady(!showReady)}
            data-testid="show-ready"
          >
            {t('newRollout.readyList')}
          </button>
          {showReady && (
            <p className="appids">
              {ready.map((appid) => (
                <code key={appid} data-testid="ready-appid">
                  {appid}
                </code>
              ))}
            </p>
          )}
        </>
      )}
    </div>
  );
}
