import { useInfiniteQuery } from '@tanstack/react-query';
import { useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Checkbox } from 'tdesign-react';
import { authorizersQuery } from '../api/queries';
import { Button } from './Button';
import { itemsOf } from './DataList';
import { Merchant } from './Face';
import { ProblemPanel } from './ProblemPanel';
import { EmptyNote, Loading } from './QueryView';
import { SearchBox } from './SearchBox';

interface Props {
  value: string[];
  onChange: (appids: string[]) => void;
  /** kind limits the choice; empty: all kinds. */
  kind?: 'miniprogram' | 'official' | '';
}

/** MerchantPicker chooses among authorized merchants, mini programs if nothing else is said; what is chosen stays chosen while searching for others. */
export function MerchantPicker({ value, onChange, kind = 'miniprogram' }: Props) {
  const { t } = useTranslation();
  const [q, setQ] = useState('');
  const list = useInfiniteQuery(authorizersQuery({ status: 'authorized', kind: kind || undefined, q, limit: 50 }));
  const search = useCallback((text: string) => setQ(text), []);
  const rows = itemsOf(list);
  const chosen = new Set(value);
  return (
    <div className="picker" data-testid="merchant-picker">
      <div className="picker__head">
        <SearchBox value={q} onSearch={search} placeholder={t('newRollout.pickSearch')} testId="merchant-search" />
        <span className="muted" data-testid="picked-count">
          {t('newRollout.picked', { n: value.length })}
        </span>
        {value.length > 0 && (
          <Button size="small" variant="text" theme="default" onClick={() => onChange([])}>
            {t('newRollout.clear')}
          </Button>
        )}
      </div>
      <div className="picker__list">
        {list.isPending && <Loading rows={4} />}
        {list.isError && <ProblemPanel compact error={list.error} onRetry={() => void list.refetch()} />}
        {list.data && rows.length === 0 && (
          <EmptyNote
            title={q ? t('common.noMatches') : t('authorizers.empty')}
            hint={q ? '' : t('authorizers.emptyHint')}
          />
        )}
        {rows.map((a) => (
          <div key={a.appid} className="picker__row" data-testid={`merchant-option-${a.appid}`}>
            <Checkbox
              checked={chosen.has(a.appid)}
              onChange={(on) => onChange(on ? [...value, a.appid] : value.filter((v) => v !== a.appid))}
            >
              <Merchant src={a.head_img} name={a.nick_name} appid={a.appid} />
            </Checkbox>
            <span className="pills">
              {(a.labels ?? []).slice(0, 3).map((l) => (
                <span key={l} className="pill">
                  {l}
                </span>
              ))}
            </span>
          </div>
        ))}
        {list.hasNextPage && (
          <Button
            block
            variant="text"
            loading={list.isFetchingNextPage}
            onClick={() => void list.fetchNextPage()}
            data-testid="picker-more"
          >
            {t('common.loadMore')}
          </Button>
        )}
      </div>
    </div>
  );
}
