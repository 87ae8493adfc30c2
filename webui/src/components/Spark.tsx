import { useTranslation } from 'react-i18next';
import type { RuleStat } from '../api/types';
import { ratesOf } from '../logic/rules';
import { fillSteps } from '../logic/series';

const bars = 24;
const width = 144;
const height = 32;

interface Props {
  items: readonly RuleStat[];
  stepSeconds: number;
}

const nothing = { delivered: 0, failed: 0, avg_ms: 0 };

/** Spark is the last day of a rule in the size of a word: calls that succeeded and failed, and a line of the time they took. */
export function Spark({ items, stepSeconds }: Props) {
  const { t } = useTranslation();
  const step = stepSeconds * 1000;
  const now = Date.now();
  const known = items.map((value) => ({ at: Date.parse(value.at), value }));
  const { values } = fillSteps<Pick<RuleStat, 'delivered' | 'failed' | 'avg_ms'>>(
    known,
    step,
    now - (bars - 1) * step,
    now,
    nothing,
  );
  const most = Math.max(1, ...values.map((v) => v.delivered + v.failed));
  const slowest = Math.max(1, ...values.map((v) => v.avg_ms));
  const rates = ratesOf(items);
  const each = width / bars;
  const tall = (n: number) => (n === 0 ? 0 : Math.max(1.5, (n / most) * height));
  const line = values.flatMap((v, i) =>
    v.delivered + v.failed > 0 ? [`${(i + 0.5) * each},${height - 2 - (v.avg_ms / slowest) * (height - 6)}`] : [],
  );
  const label = t('forward.sparkLabel', { ok: rates.delivered, failed: rates.failed });
  return (
    <svg className="spark" viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
      <title>{label}</title>
      <line className="spark__base" x1="0" x2={width} y1={height - 0.5} y2={height - 0.5} />
      {values.map((v, i) => {
        const failed = tall(v.failed);
        const good = tall(v.delivered);
        const x = i * each + 0.75;
        return (
          <g key={x}>
            <rect className="spark__good" x={x} width={each - 1.5} y={height - good} height={good} />
            <rect className="spark__bad" x={x} width={each - 1.5} y={height - good - failed} height={failed} />
          </g>
        );
      })}
      {line.length > 1 && <polyline className="spark__line" points={line.join(' ')} />}
    </svg>
  );
}
