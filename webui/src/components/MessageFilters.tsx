import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { authorizerQuery, authorizersQuery, componentQuery } from '../api/queries';
import { knownPushes, pushTitle } from '../logic/pushes';
import { fromLocalInput, localInput, spans } from '../logic/span';
import { Combo, type ComboOption } from './Combo';
import { itemsOf } from './DataList';

interface ChooseProps {
  value: string;
  onPick: (value: string) => void;
}

const appid = /^wx[0-9a-zA-Z]{6,}$/;

/** MerchantChoice narrows a list down to one merchant, or to the platform itself. */
export function MerchantChoice({ value, onPick }: ChooseProps) {
  const { t } = useTranslation();
  const [q, setQ] = useState('');
  const list = useInfiniteQuery({ ...authorizersQuery({ q, limit: 20 }), placeholderData: (old) => old });
  const platform = useQuery(componentQuery);
  const own = platform.data?.appid ?? '';
  const chosen = useQuery({ ...authorizerQuery(value), enabled: value !== '' && own !== '' && value !== own });
  const options: ComboOption[] = itemsOf(list).map((a) => ({ value: a.appid, title: a.nick_name || a.appid }));
  if (own && (q === '' || own.includes(q) || t('messages.platform').includes(q))) {
    options.push({ value: own, title: t('messages.platform') });
  }
  return (
    <Combo
      name="merchant"
      value={value}
      text={value === '' ? '' : value === own ? t('messages.platform') : chosen.data?.nick_name || value}
      options={options}
      onPick={onPick}
      onType={setQ}
      free={(typed) => (appid.test(typed) ? typed : undefined)}
      label={t('messages.merchant')}
      placeholder={t('messages.anyMerchant')}
    />
  );
}

const kinds = ['info_type', 'event', 'msg_type'] as const;
type Kind = (typeof kinds)[number];
export type KindFilter = Record<Kind, string>;

interface KindProps {
  value: KindFilter;
  channel: string;
  onPick: (value: KindFilter) => void;
}

/** KindChoice narrows a list down to what its messages are about: an InfoType, an Event or a MsgType. */
export function KindChoice({ value, channel, onPick }: KindProps) {
  const { t, i18n } = useTranslation();
  const offered = channel === 'component' ? ['info_type' as const] : channel === 'biz' ? kinds.slice(1) : kinds;
  const options = offered.flatMap((kind) =>
    knownPushes(kind, i18n.language).map((o) => ({
      value: `${kind}:${o.value}`,
      title: o.title,
      group: t(`messages.kinds.${kind}`),
    })),
  );
  const set = kinds.filter((kind) => value[kind] !== '');
  return (
    <Combo
      name="kind"
      value={set.map((kind) => `${kind}:${value[kind]}`).join()}
      text={set.map((kind) => pushTitle(value[kind], i18n.language) ?? value[kind]).join(' · ')}
      options={options}
      onPick={(picked) => {
        const [kind = '', ...name] = picked.split(':');
        onPick({ info_type: '', event: '', msg_type: '', ...(picked && { [kind]: name.join(':') }) });
      }}
      free={(typed) =>
        /^\w+$/.test(typed) ? `${channel === 'component' ? 'info_type' : 'event'}:${typed}` : undefined
      }
      label={t('messages.type')}
      placeholder={t('messages.anyKind')}
    />
  );
}

export interface SpanFilter {
  span: string;
  since: string;
  until: string;
}

/** SpanChoice narrows a list down to a time: a span until now, or from one moment to another. */
export function SpanChoice({ value, onPick }: { value: SpanFilter; onPick: (value: SpanFilter) => void }) {
  const { t } = useTranslation();
  const custom = value.span === 'custom';
  return (
    <>
      <select
        className="input input--select"
        aria-label={t('messages.span')}
        value={value.span}
        onChange={(e) => onPick({ span: e.target.value, since: '', until: '' })}
        data-testid="filter-span"
      >
        <option value="all">{t('messages.spans.all')}</option>
        {spans.map((span) => (
          <option key={span} value={span}>
            {t(`messages.spans.${span}`)}
          </option>
        ))}
        <option value="custom">{t('messages.spans.custom')}</option>
      </select>
      {custom && (
        <span className="fromto" data-testid="filter-from-to">
          <input
            className="input"
            type="datetime-local"
            aria-label={t('messages.since')}
            value={localInput(value.since)}
            max={localInput(value.until) || undefined}
            onChange={(e) => onPick({ ...value, since: fromLocalInput(e.target.value) })}
          />
          <span aria-hidden="true">–</span>
          <input
            className="input"
            type="datetime-local"
            aria-label={t('messages.until')}
            value={localInput(value.until)}
            min={localInput(value.since) || undefined}
            onChange={(e) => onPick({ ...value, until: fromLocalInput(e.target.value) })}
          />
        </span>
      )}
    </>
  );
}
