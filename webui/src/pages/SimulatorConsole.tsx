import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Input } from 'tdesign-react';
import { reviewable, type SimMerchant } from '../api/simulator';
import { Button } from '../components/Button';
import { Merchant } from '../components/Face';
import { Field } from '../components/Field';
import { Pairs } from '../components/PageHead';
import { useControl } from '../components/useControl';

// Statuses of WeChat: of an audit that ends, and of a gray release.
const decisions = { approved: 0, rejected: 1, withdrawn: 3, delayed: 4 } as const;
const grayRunning = 1;
const grayPaused = 2;
const grayCanceled = 4;

function Upload({ merchant }: { merchant: SimMerchant }) {
  const { t } = useTranslation();
  const { act, busy } = useControl();
  const [version, setVersion] = useState('9.9.9');
  return (
    <section className="byhand">
      <h3>{t('simulator.console.upload')}</h3>
      <p className="faint">{t('simulator.console.uploadHint')}</p>
      <div className="byhand__gray">
        <Field name="console-version" label={t('rollouts.version')}>
          <Input value={version} onChange={setVersion} />
        </Field>
        <Button
          variant="outline"
          disabled={version.trim() === ''}
          loading={busy === 'console-commit'}
          data-testid="console-commit"
          onClick={() =>
            void act('console-commit', 'POST', `merchants/${merchant.appid}/console-commit`, {
              user_version: version.trim(),
              user_desc: t('simulator.console.uploadDesc'),
            })
          }
        >
          {t('simulator.console.upload')}
        </Button>
      </div>
    </section>
  );
}

function Review({ merchant }: { merchant: SimMerchant }) {
  const { t } = useTranslation();
  const { act, busy } = useControl();
  const path = `merchants/${merchant.appid}`;
  const running = (merchant.audit && reviewable(merchant.audit)) || merchant.console_audit !== null;
  return (
    <section className="byhand">
      <h3>{t('simulator.console.review')}</h3>
      <p className="faint">{t('simulator.console.reviewHint')}</p>
      <div className="buttons buttons--start">
        {running ? (
          (Object.keys(decisions) as (keyof typeof decisions)[]).map((name) => (
            <Button
              key={name}
              variant="outline"
              theme="default"
              loading={busy === name}
              data-testid={`console-${name}`}
              onClick={() =>
                void act(name, 'POST', `${path}/console-decide`, {
                  status: decisions[name],
                  reason: name === 'rejected' || name === 'delayed' ? t('simulator.rejectReasonDefault') : '',
                })
              }
            >
              {t(`simulator.console.${name}`)}
            </Button>
          ))
        ) : (
          <Button
            variant="outline"
            theme="default"
            loading={busy === 'submit'}
            data-testid="console-submit"
            onClick={() => void act('submit', 'POST', `${path}/console-submit`)}
          >
            {t('simulator.console.submit')}
          </Button>
        )}
        <Button
          variant="outline"
          theme="default"
          loading={busy === 'release'}
          disabled={merchant.audit?.status !== decisions.approved}
          data-testid="console-release"
          onClick={() => void act('release', 'POST', `${path}/console-release`)}
        >
          {t('simulator.console.release')}
        </Button>
      </div>
    </section>
  );
}

function Gray({ merchant }: { merchant: SimMerchant }) {
  const { t } = useTranslation();
  const { act, busy } = useControl();
  const { status, gray_percentage: now } = merchant.gray;
  const [text, setText] = useState(String(now));
  const percentage = Number(text);
  const good = Number.isInteger(percentage) && percentage > 0 && percentage <= 100;
  if (status !== grayRunning && status !== grayPaused) return null;
  const change = (name: string, to: number, percentage = 0) =>
    void act(name, 'POST', `merchants/${merchant.appid}/console-gray`, { status: to, percentage });
  return (
    <section className="byhand">
      <h3>{t('board.gray')}</h3>
      <p>
        {t('byhand.grayNow', { percentage: now })} {status === grayPaused && t('byhand.grayPaused')}
      </p>
      <div className="byhand__gray">
        <Field name="console-percentage" label={t('byhand.graySet')}>
          <Input value={text} onChange={setText} suffix="%" />
        </Field>
        <Button
          variant="outline"
          disabled={!good}
          loading={busy === 'widen'}
          data-testid="console-gray-widen"
          onClick={() => change('widen', grayRunning, percentage)}
        >
          {t('simulator.console.widen')}
        </Button>
        <Button
          variant="outline"
          theme="default"
          loading={busy === 'pause'}
          data-testid="console-gray-pause"
          onClick={() => change('pause', status === grayPaused ? grayRunning : grayPaused)}
        >
          {status === grayPaused ? t('simulator.console.goOn') : t('simulator.console.pause')}
        </Button>
        <Button
          variant="outline"
          theme="danger"
          loading={busy === 'cancel'}
          data-testid="console-gray-cancel"
          onClick={() => change('cancel', grayCanceled)}
        >
          {t('simulator.console.cancelGray')}
        </Button>
      </div>
    </section>
  );
}

/** SimulatorConsole plays a merchant at work in WeChat's own console, past this platform. */
export function SimulatorConsole({ merchant }: { merchant: SimMerchant }) {
  const { t } = useTranslation();
  return (
    <div className="stack">
      <Merchant src={merchant.head_img} name={merchant.nick_name} appid={merchant.appid} />
      <p className="muted">{t('simulator.console.intro')}</p>
      <Pairs
        brief
        items={[
          [t('authorizers.versionExperience'), merchant.trial?.user_version ?? ''],
          [t('authorizers.versionAudit'), merchant.audit?.user_version ?? ''],
          [t('authorizers.versionLive'), merchant.live?.user_version ?? ''],
        ]}
      />
      <Upload merchant={merchant} />
      <Review merchant={merchant} />
      <Gray key={merchant.gray.gray_percentage} merchant={merchant} />
    </div>
  );
}
