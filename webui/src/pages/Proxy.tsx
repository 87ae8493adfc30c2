import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Input } from 'tdesign-react';
import { api, call } from '../api/client';
import { asProblem, fieldErrors, type Problem } from '../api/problem';
import { keys, proxyQuery } from '../api/queries';
import type { ProxyCheck, ProxySetting } from '../api/types';
import { Button } from '../components/Button';
import { useConfirm } from '../components/Confirm';
import { Field } from '../components/Field';
import { PageHead, Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { QueryView } from '../components/QueryView';
import { ToneTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { toast } from '../components/toast';
import { useTexts } from '../components/useTexts';
import { milliseconds, upstreamFault } from '../logic/rules';

/** reserved are the first parts of addresses that the proxy never passes on. */
const reserved = [
  '/admin',
  '/api',
  '/authorize',
  '/wxcallback',
  '/miniapp',
  '/inner',
  '/metrics',
  '/healthz',
  '/readyz',
];

function Setting({ setting }: { setting: ProxySetting }) {
  const { t, i18n } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  // What comes from the environment is not copied into the setting by saving.
  const stored = setting.source === 'stored' ? setting.upstream : '';
  const { texts, set, saved } = useTexts({ upstream: stored });
  const { upstream } = texts;
  const [busy, setBusy] = useState<'' | 'save' | 'check'>('');
  const [problem, setProblem] = useState<Problem | null>(null);
  const [check, setCheck] = useState<ProxyCheck | null>(null);
  const changed = upstream.trim() !== stored;
  const wrong = upstreamFault(upstream);
  const refused = problem ? fieldErrors(problem, ['upstream']).upstream : undefined;
  const target = upstream.trim() || setting.upstream;

  async function put(enabled: boolean, to: string) {
    const answer = await call(api.PUT('/proxy', { body: { enabled, upstream: to } }));
    client.setQueryData(keys.proxy, answer);
    saved({ upstream: to }, { upstream: answer.source === 'stored' ? answer.upstream : '' });
    setProblem(null);
  }

  function turn(on: boolean) {
    confirm({
      title: on ? t('proxy.onConfirm') : t('proxy.offConfirm'),
      hint: on ? t('proxy.onHint', { upstream: target }) : t('proxy.offHint'),
      ok: on ? t('proxy.turnOn') : t('proxy.turnOff'),
      danger: !on,
      run: async () => {
        await put(on, stored);
        toast.success(on ? t('proxy.turnedOn') : t('proxy.turnedOff'));
      },
    });
  }

  async function save(event: FormEvent) {
    event.preventDefault();
    const to = upstream.trim();
    setCheck(null);
    setProblem(null);
    if (setting.enabled) {
      confirm({
        title: t('proxy.saveConfirm', { upstream: to || 'BUSINESS_UPSTREAM' }),
        hint: t('proxy.saveHint'),
        ok: t('common.save'),
        run: async () => {
          await put(true, to);
          toast.success(t('common.saved'));
        },
      });
      return;
    }
    setBusy('save');
    try {
      await put(false, to);
      toast.success(t('common.saved'));
    } catch (thrown) {
      setProblem(asProblem(thrown));
    } finally {
      setBusy('');
    }
  }

  async function look() {
    setBusy('check');
    setCheck(null);
    setProblem(null);
    try {
      setCheck(await call(api.POST('/proxy/check', { body: { upstream: upstream.trim() } })));
    } catch (thrown) {
      setProblem(asProblem(thrown));
    } finally {
      setBusy('');
    }
  }

  return (
    <>
      <Panel
        title={t('proxy.state')}
        testId="proxy-state"
        extra={
          may &&
          (setting.enabled ? (
            <Button variant="outline" theme="danger" onClick={() => turn(false)} data-testid="proxy-turn-off">
              {t('proxy.turnOff')}
            </Button>
          ) : (
            <Button
              onClick={() => turn(true)}
              disabled={changed || setting.upstream === ''}
              data-testid="proxy-turn-on"
            >
              {t('proxy.turnOn')}
            </Button>
          ))
        }
      >
        <div className="proxystate">
          <ToneTag
            tone={setting.enabled ? 'good' : 'ended'}
            text={setting.enabled ? t('proxy.on') : t('proxy.off')}
            testId={setting.enabled ? 'proxy-on' : 'proxy-off'}
          />
          <span>{setting.enabled ? t('proxy.onText', { upstream: setting.upstream }) : t('proxy.offText')}</span>
        </div>
        <p className="muted">
          {t(`proxy.source.${setting.source}`)}
          {may && !setting.enabled && changed && ` · ${t('proxy.unsaved')}`}
          {may && !setting.enabled && !changed && setting.upstream === '' && ` · ${t('proxy.upstreamNeeded')}`}
        </p>
      </Panel>
      {may && (
        <Panel testId="proxy-upstream">
          <form className="form" onSubmit={(e) => void save(e)}>
            <Field
              name="upstream"
              label={t('proxy.upstream')}
              hint={t('proxy.upstreamHint')}
              error={wrong ? t('proxy.upstreamWrong') : refused}
            >
              <Input
                value={upstream}
                onChange={(v) => {
                  set({ upstream: v });
                  setCheck(null);
                  setProblem(null);
                }}
                placeholder={setting.source === 'environment' ? setting.upstream : 'http://127.0.0.1:8090'}
              />
            </Field>
            {problem && !refused && <ProblemPanel error={problem} />}
            {check && (
              <p className="proxystate" role="status" data-testid="proxy-checked">
                <ToneTag
                  tone={check.ok ? 'good' : 'bad'}
                  text={
                    check.ok
                      ? t('proxy.checkOk', {
                          status: check.status,
                          ms: milliseconds(check.duration_ms, i18n.language),
                        })
                      : t('proxy.checkFailed')
                  }
                />
                {check.error && <span className="note--bad">{check.error}</span>}
              </p>
            )}
            <div className="buttons">
              <Button type="submit" loading={busy === 'save'} disabled={!changed || wrong} data-testid="save-proxy">
                {t('common.save')}
              </Button>
              <Button
                variant="outline"
                theme="default"
                loading={busy === 'check'}
                disabled={wrong || target === ''}
                onClick={() => void look()}
                data-testid="check-proxy"
              >
                {t('proxy.check')}
              </Button>
            </div>
          </form>
        </Panel>
      )}
    </>
  );
}

/** ProxyPage sets whether addresses that are not ours go to the business system. */
export default function ProxyPage() {
  const { t } = useTranslation();
  const query = useQuery(proxyQuery);
  return (
    <>
      <PageHead title={t('proxy.title')} />
      <div className="columns">
        <div className="stack">
          <QueryView query={query} rows={5}>
            {(setting) => <Setting setting={setting} />}
          </QueryView>
        </div>
        <div className="stack">
          <Panel title={t('proxy.warnings')}>
            <ul className="prose">
              <li>
                <b>{t('proxy.warningItems.origin')}</b>
              </li>
              <li>{t('proxy.warningItems.public')}</li>
              <li>
                {t('proxy.warningItems.reserved')}{' '}
                {reserved.map((path) => (
                  <code key={path}>{path} </code>
                ))}
              </li>
            </ul>
          </Panel>
          <Panel title={t('proxy.what')}>
            <ul className="prose">
              {(['unmatched', 'identity', 'cookie', 'replicas'] as const).map((item) => (
                <li key={item}>{t(`proxy.whatItems.${item}`)}</li>
              ))}
            </ul>
          </Panel>
        </div>
      </div>
    </>
  );
}
