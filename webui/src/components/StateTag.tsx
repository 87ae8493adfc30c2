import { useTranslation } from 'react-i18next';
import { isSubmissionState, linkTone, rolloutTone, submissionTone, type Tone } from '../logic/states';

export function ToneTag({ tone, text, title, testId }: { tone: Tone; text: string; title?: string; testId?: string }) {
  return (
    <span className={`tag tag--${tone}`} title={title} data-testid={testId}>
      <i aria-hidden="true" />
      {text}
    </span>
  );
}

export function SubmissionTag({ state }: { state: string }) {
  const { t } = useTranslation();
  const help = ['trial', 'approved', 'blocked', 'superseded'].includes(state)
    ? t(`stateHelp.${state as 'trial'}`)
    : undefined;
  return (
    <ToneTag
      tone={submissionTone(state)}
      text={isSubmissionState(state) ? t(`state.${state}`) : state}
      title={help}
      testId={`state-${state}`}
    />
  );
}

const rolloutStates = ['scheduled', 'running', 'paused', 'completed', 'canceled'] as const;

export function RolloutTag({ state }: { state: (typeof rolloutStates)[number] }) {
  const { t } = useTranslation();
  const known = rolloutStates.includes(state);
  return (
    <ToneTag
      tone={rolloutTone(state)}
      text={known ? t(`rolloutState.${state}`) : state}
      testId={`rollout-state-${state}`}
    />
  );
}

const linkStatuses = ['pending', 'opened', 'authorized', 'failed', 'expired', 'revoked'] as const;

export function LinkTag({ status }: { status: (typeof linkStatuses)[number] }) {
  const { t } = useTranslation();
  const known = linkStatuses.includes(status);
  return (
    <ToneTag
      tone={linkTone(status)}
      text={known ? t(`linkStatus.${status}`) : status}
      testId={`link-status-${status}`}
    />
  );
}

export function AuthorizerTag({ status, stale }: { status: 'authorized' | 'unauthorized'; stale?: boolean }) {
  const { t } = useTranslation();
  if (status === 'authorized' && stale) {
    return <ToneTag tone="bad" text={t('authorizers.needsReauthorization')} testId="authorizer-status-stale" />;
  }
  const good = status === 'authorized';
  return (
    <ToneTag
      tone={good ? 'good' : 'ended'}
      text={t(`authorizerStatus.${status}`)}
      testId={`authorizer-status-${status}`}
    />
  );
}
