import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { duration } from '../logic/time';

const second = 1000;
const near = 10 * 60 * second;

/** Countdown tells how long it is until a time, and soon when it has come. It counts seconds when they matter. */
export function Countdown({ until, soon }: { until: string; soon: string }) {
  const { i18n } = useTranslation();
  const [now, setNow] = useState(() => Date.now());
  const left = Date.parse(until) - now;
  const pause = left > near ? 10 * second : second;
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), pause);
    return () => clearInterval(timer);
  }, [pause]);
  return <>{left < second ? soon : duration(left, i18n.language)}</>;
}
