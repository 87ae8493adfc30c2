import { useTranslation } from 'react-i18next';
import type { Rule } from '../api/types';
import { pushTitle } from '../logic/pushes';
import { type RuleState, ruleState, ruleTone } from '../logic/rules';
import { ToneTag } from './StateTag';

export function RuleTag({ rule }: { rule: Pick<Rule, 'enabled' | 'paused_at' | 'failing_since'> }) {
  const { t } = useTranslation();
  const state: RuleState = ruleState(rule);
  return <ToneTag tone={ruleTone(state)} text={t(`forward.state.${state}`)} testId={`rule-state-${state}`} />;
}

const deliveryTones = { pending: 'working', delivered: 'good', dead: 'bad' } as const;

export function DeliveryStateTag({ state }: { state: keyof typeof deliveryTones }) {
  const { t } = useTranslation();
  return (
    <ToneTag
      tone={deliveryTones[state]}
      text={t(`forward.deliveryState.${state}`)}
      testId={`delivery-state-${state}`}
    />
  );
}

/** useMatchWords says in words which pushes a rule is for. */
export function useMatchWords() {
  const { t, i18n } = useTranslation();
  return (rule: Pick<Rule, 'channel' | 'info_type' | 'msg_type' | 'event' | 'appids'>): string[] => {
    const named = (name: string) => pushTitle(name, i18n.language) ?? name;
    const kinds = [rule.info_type, rule.msg_type, rule.event].filter((name) => name !== '');
    const appids = rule.appids ?? [];
    return [
      t(`forward.channels.${rule.channel}`),
      ...(kinds.length > 0 ? kinds.map(named) : [t('forward.anyKind')]),
      ...(appids.length > 0 ? [t('forward.merchantsN', { n: appids.length })] : []),
    ];
  };
}
