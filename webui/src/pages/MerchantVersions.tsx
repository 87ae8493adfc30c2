import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router-dom';
import { Input } from 'tdesign-react';
import { api, call, newIdempotencyKey } from '../api/client';
import { keys, versionsQuery } from '../api/queries';
import type { Versions } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { Field } from '../components/Field';
import { Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { Progress } from '../components/Progress';
import { QueryView } from '../components/QueryView';
import { useCan } from '../components/session';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { versionFacts } from '../logic/authorizer';
import { isSubmissionState } from '../logic/states';

type Ours = NonNullable<Versions['ours']>['live'];

function OurWord({ ours }: { ours: Ours }) {
  const { t } = useTranslation();
  if (!ours) return null;
  const state = isSubmissionState(ours.state) ? t(`state.${ours.state}`) : ours.state;
  return (
    <Link className="faint" to={`/rollouts/${ours.rollout_id}/${ours.submission_id}`}>
      {t('byhand.ours', { version: ours.user_version })}
      {t('byhand.oursState', { state })}
    </Link>
  );
}

interface CardProps {
  title: string;
  version: Record<string, unknown> | null | undefined;
  ours: Ours;
  children?: React.ReactNode;
}

function VersionCard({ title, version, ours, children }: CardProps) {
  const { t } = useTranslation();
  const facts = versionFacts(version);
  return (
    <div className="version">
      <span className="version__slot">{title}</span>
      {facts ? (
        <>
          <b>{facts.version || '—'}</b>
          <span className="muted">{facts.desc}</span>
          {facts.time && (
            <span className="faint">
              <Time value={facts.time} />
            </span>
          )}
        </>
      ) : (
        <span className="faint">{t('authorizers.versionNone')}</span>
      )}
      <OurWord ours={ours} />
      {children}
    </div>
  );
}

/** useByHand makes a change by hand and shows what WeChat has afterwards. */
function useByHand(appid: string) {
  const { t } = useTranslation();
  const client = useQueryClient();
  return async (change: Promise<Versions>) => {
    const now = await change;
    client.setQueryData(versionsQuery(appid).queryKey, now);
    await client.invalidateQueries({ queryKey: keys.submissions });
    toast.success(t('common.done'));
  };
}

const header = () => ({ 'Idempotency-Key': newIdempotencyKey() });
const underAudit = 2;
const delayed = 4;

function GrayForm({ appid, now }: { appid: string; now: Versions['gray'] }) {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const done = useByHand(appid);
  const [text, setText] = useState('');
  const percentage = /^\d{1,3}$/.test(text.trim()) ? Number(text) : 0;
  const good = percentage >= 1 && percentage <= 100 && percentage > (now?.percentage ?? 0);
  const path = { appid };
  return (
    <form
      className="byhand__gray"
      onSubmit={(e) => {
        e.preventDefault();
        if (!good) return;
        confirm({
          title: t('byhand.grayConfirm', { percentage }),
          hint: t('byhand.grayHint'),
          ok: t('byhand.grayGo'),
          run: () =>
            done(
              call(api.POST('/authorizers/{appid}/gray', { params: { path, header: header() }, body: { percentage } })),
            ),
        });
      }}
      data-testid="gray-form"
    >
      <Field name="gray-percentage" label={now ? t('byhand.graySet') : t('byhand.grayStart')}>
        <Input value={text} onChange={setText} placeholder={now ? String(now.percentage) : '10'} suffix="%" />
      </Field>
      <Button type="submit" variant="outline" disabled={!good} data-testid="gray-go">
        {t('byhand.grayGo')}
      </Button>
    </form>
  );
}

function GrayBox({ appid, versions }: { appid: string; versions: Versions }) {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const done = useByHand(appid);
  const may = useCan('operator');
  const { gray, audit, live } = versions;
  const approved = audit?.status === 0 && Boolean(live) && audit.user_version !== live?.user_version;
  if (!gray && !(may && approved)) return null;
  return (
    <section className="byhand" data-testid="gray-box">
      <h3>{t('byhand.gray')}</h3>
      {gray && (
        <>
          <Progress label={t('byhand.gray')} done={gray.percentage} total={100} testId="gray-now" />
          <p>
            {t('byhand.grayNow', { percentage: gray.percentage })} {gray.status === 2 && t('byhand.grayPaused')}{' '}
            <span className="faint">
              <Time value={gray.at} />
            </span>
          </p>
        </>
      )}
      {may && <GrayForm appid={appid} now={gray} />}
      {may && gray && (
        <Button
          variant="outline"
          theme="danger"
          data-testid="gray-cancel"
          onClick={() =>
            confirm({
              title: t('byhand.grayCancelConfirm'),
              hint: t('byhand.grayCancelHint'),
              ok: t('byhand.grayCancel'),
              danger: true,
              run: () =>
                done(
                  call(api.POST('/authorizers/{appid}/gray-cancel', { params: { path: { appid }, header: header() } })),
                ),
            })
          }
        >
          {t('byhand.grayCancel')}
        </Button>
      )}
    </section>
  );
}

function History({ appid, versions }: { appid: string; versions: Versions }) {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const done = useByHand(appid);
  const may = useCan('operator');
  const history = versions.history ?? [];
  return (
    <section className="byhand" data-testid="history">
      <h3>{t('byhand.history')}</h3>
      {history.length === 0 && <p className="faint">{t('byhand.historyEmpty')}</p>}
      <ul className="historylist">
        {history.map((h) => (
          <li key={h.app_version} data-testid={`history-${h.app_version}`}>
            <span>
              <b>{h.user_version}</b> <span className="muted">{h.user_desc}</span>{' '}
              <span className="faint">
                <Time value={h.at} />
              </span>
            </span>
            {may && (
              <Button
                size="small"
                variant="outline"
                theme="danger"
                data-testid={`rollback-to-${h.app_version}`}
                onClick={() =>
                  confirm({
                    title: t('byhand.rollbackConfirm', { version: h.user_version }),
                    hint: t('byhand.rollbackHint'),
                    ok: t('byhand.rollback'),
                    danger: true,
                    run: () =>
                      done(
                        call(
                          api.POST('/authorizers/{appid}/rollback', {
                            params: { path: { appid }, header: header() },
                            body: { app_version: h.app_version },
                          }),
                        ),
                      ),
                  })
                }
              >
                {t('byhand.rollback')}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Differences({ versions }: { versions: Versions }) {
  const { t } = useTranslation();
  const found = versions.differences ?? [];
  const missing = versions.privacy_missing ?? [];
  return (
    <>
      {found.length > 0 && (
        <div className="banner" role="status" data-testid="differences">
          <b>{t('byhand.differences')}</b>
          <ul>
            {found.map((d, i) => (
              <li key={i}>
                {t(`byhand.slot.${d.slot}`)}: {d.detail}
              </li>
            ))}
          </ul>
        </div>
      )}
      {missing.length > 0 && (
        <div className="banner" role="status" data-testid="privacy-missing">
          {t('byhand.privacyMissing', { keys: missing.join(', ') })}
        </div>
      )}
    </>
  );
}

/** VersionsPanel is what WeChat has of a mini program now, beside what we think, and what may be done about it by hand. */
export function VersionsPanel({ appid }: { appid: string }) {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const may = useCan('operator');
  const done = useByHand(appid);
  const query = useQuery(versionsQuery(appid));
  return (
    <Panel title={t('authorizers.versions')} hint={may ? t('byhand.busy') : undefined} testId="versions">
      {query.isError && !query.data ? (
        <ProblemPanel error={query.error} onRetry={() => void query.refetch()} />
      ) : (
        <QueryView query={query} rows={2}>
          {(v: Versions) => (
            <div className="stack">
              <Differences versions={v} />
              <div className="versions">
                <VersionCard
                  title={t('authorizers.versionExperience')}
                  version={v.experience}
                  ours={v.ours?.trial ?? null}
                />
                <VersionCard title={t('authorizers.versionAudit')} version={v.audit} ours={v.ours?.audit ?? null}>
                  {may && (v.audit?.status === underAudit || v.audit?.status === delayed) && (
                    <Button
                      size="small"
                      variant="outline"
                      theme="danger"
                      data-testid="withdraw-audit"
                      onClick={() =>
                        confirm({
                          title: t('byhand.withdrawConfirm'),
                          hint: t('byhand.withdrawHint'),
                          ok: t('byhand.withdraw'),
                          danger: true,
                          run: () =>
                            done(
                              call(
                                api.POST('/authorizers/{appid}/withdraw-audit', {
                                  params: { path: { appid }, header: header() },
                                }),
                              ),
                            ),
                        })
                      }
                    >
                      {t('byhand.withdraw')}
                    </Button>
                  )}
                </VersionCard>
                <VersionCard title={t('authorizers.versionLive')} version={v.live} ours={v.ours?.live ?? null} />
              </div>
              <GrayBox appid={appid} versions={v} />
              <History appid={appid} versions={v} />
            </div>
          )}
        </QueryView>
      )}
    </Panel>
  );
}
