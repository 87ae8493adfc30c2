import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { rateQuery } from '../api/messages';
import { Chart, plainNumber } from './Chart';
import { Panel } from './PageHead';
import { EmptyNote, QueryView } from './QueryView';
import { Segmented } from './Segmented';

const hours = { '1h': 1, '24h': 24, '7d': 168 } as const;
type Length = keyof typeof hours;
const lengths = Object.keys(hours) as Length[];

/** RatePanel draws how many messages came, by channel. */
export function RatePanel() {
  const { t, i18n } = useTranslation();
  const [length, setLength] = useState<Length>('24h');
  const query = useQuery(rateQuery(hours[length]));
  return (
    <Panel
      title={t('rate.title')}
      testId="message-rate"
      extra={
        <Segmented
          name="rate"
          label={t('rate.span')}
          value={length}
          onChange={setLength}
          options={lengths.map((l) => ({ value: l, label: t(`rate.spans.${l}`) }))}
        />
      }
    >
      <QueryView query={query} rows={5}>
        {(rate) => {
          const points = rate.points ?? [];
          const times = points.map((p) => Date.parse(p.at));
          const sum = (channel: 'component' | 'biz') => points.reduce((n, p) => n + p[channel], 0);
          const number = (n: number) => plainNumber(n, i18n.language);
          const most = Math.max(0, ...points.map((p) => p.component + p.biz));
          const minutes = rate.step_seconds / 60;
          return (
            <Chart
              label={t('rate.label', { span: t(`rate.spans.${length}`), n: minutes })}
              summary={t('rate.summary', {
                biz: number(sum('biz')),
                component: number(sum('component')),
                most: number(most),
                n: minutes,
              })}
              times={times}
              step={rate.step_seconds * 1000}
              height={180}
              testId="rate-chart"
              empty={<EmptyNote title={t('rate.empty')} hint={t('rate.emptyHint')} />}
              series={(['biz', 'component'] as const).map((channel) => ({
                key: channel,
                name: t(`messages.${channel}`),
                tone: channel === 'biz' ? 'working' : 'review',
                kind: 'bar',
                values: points.map((p) => p[channel]),
                total: number(sum(channel)),
              }))}
            />
          );
        }}
      </QueryView>
    </Panel>
  );
}
