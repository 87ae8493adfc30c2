import { useTranslation } from 'react-i18next';
import { Pairs, Panel } from '../../components/PageHead';
import { Time } from '../../components/Time';
import { percentages } from '../../logic/board';
import { type RolloutForm, toRequest } from '../../logic/rollout';
import { StrategyWords, WindowWords } from '../StrategyWords';
import { TargetCount } from './TargetsStep';

function useGrayWords(form: RolloutForm): string {
  const { t } = useTranslation();
  const gray = percentages(form.gray) ?? [];
  if (gray.length === 0) return t('board.grayNone');
  const steps = t('board.graySteps', { steps: gray.map((n) => `${n}%`).join(' → ') });
  const interval = form.interval.trim();
  return `${steps}${t('strategy.separator')}${interval ? t('board.grayEvery', { interval }) : t('board.grayByHand')}`;
}

/** Summary says in a few words what will be done; only for a form with nothing wrong in it. */
export function Summary({ form }: { form: RolloutForm }) {
  const { t } = useTranslation();
  const gray = useGrayWords(form);
  const mode = (m: 'auto' | 'manual') => t(`wizard.${m}`);
  const set = (on: boolean) => (on ? t('wizard.sumSet') : t('wizard.sumKeep'));
  const { strategy, start_at: startAt } = toRequest(form);
  return (
    <Panel title={t('wizard.summary')} extra={<TargetCount form={form} />} testId="part-plan">
      <Pairs
        items={[
          [t('newRollout.name'), form.name],
          [
            t('rollouts.version'),
            <span key="v">
              <b>{form.user_version}</b> <code>#{form.template_id}</code>
            </span>,
          ],
          ...(form.below_version.trim() ? [[t('wizard.below'), form.below_version.trim()] as [string, string]] : []),
          [t('wizard.sumDomains'), set(form.setDomains)],
          [t('wizard.sumPrivacy'), set(form.setPrivacy)],
          [t('wizard.sumSubmit'), mode(form.submit)],
          [t('newRollout.releaseMode'), mode(form.release)],
          [
            t('newRollout.window'),
            form.window.trim() ? <WindowWords key="w" expression={form.window.trim()} /> : t('wizard.windowEmpty'),
          ],
          [t('newRollout.gray'), gray],
          [t('newRollout.strategy'), <StrategyWords key="s" strategy={strategy} />],
          [t('wizard.sumStart'), startAt ? <Time key="t" value={startAt} /> : t('wizard.sumNow')],
        ]}
      />
    </Panel>
  );
}
