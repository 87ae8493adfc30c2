import { useTranslation } from 'react-i18next';
import type { Strategy } from '../api/types';
import { readWindow } from '../logic/window';

const sunday = Date.UTC(2026, 0, 4);

/** useWindowWords says in plain words when a release window is open; null: it is no window. */
export function useWindowWords(expression: string): { words: string; brief: boolean } | null {
  const { t, i18n } = useTranslation();
  const window = readWindow(expression);
  if (!window) return null;
  const two = (n: number) => String(n).padStart(2, '0');
  const separator = t('window.separator');
  const whole = window.hours.length === 1 && window.hours[0]?.[0] === 0 && window.hours[0][1] === 23;
  const hours = whole
    ? t('window.allDay')
    : window.hours.map(([from, to]) => `${two(from)}:00–${two(to)}:59`).join(separator);
  if (!window.weekdays) return { words: t('window.wordsOther', { hours }), brief: window.brief };
  const name = new Intl.DateTimeFormat(i18n.language, { weekday: 'short', timeZone: 'UTC' });
  // The week is read from Monday on.
  const inOrder = [...window.weekdays].sort((a, b) => ((a + 6) % 7) - ((b + 6) % 7));
  const names = inOrder.map((day) => name.format(sunday + day * 86_400_000));
  const inRow = inOrder.length > 2 && inOrder.every((day, i) => i === 0 || day === ((inOrder[i - 1] ?? 0) + 1) % 7);
  const days =
    inOrder.length === 7 ? t('window.everyDay') : inRow ? `${names[0]}–${names.at(-1)}` : names.join(separator);
  return { words: t('window.words', { days, hours }), brief: window.brief };
}

export function WindowWords({ expression }: { expression: string }) {
  const words = useWindowWords(expression);
  return (
    <>
      <code>{expression}</code>
      {words && <small className="muted"> {words.words}</small>}
    </>
  );
}

/** StrategyWords says in what order merchants get their turn. */
export function StrategyWords({ strategy }: { strategy?: Strategy }) {
  const { t } = useTranslation();
  const limit = strategy?.max_failed_percent;
  const words = [
    strategy?.canary ? t('strategy.canary', { n: strategy.canary }) : '',
    strategy?.batch_size ? t('strategy.batch', { n: strategy.batch_size }) : '',
    limit === undefined ? '' : limit === 0 ? t('strategy.failedAny') : t('strategy.failed', { n: limit }),
  ].filter(Boolean);
  return (
    <span data-testid="strategy">{words.length > 0 ? words.join(t('strategy.separator')) : t('strategy.all')}</span>
  );
}
