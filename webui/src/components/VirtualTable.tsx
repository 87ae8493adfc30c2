import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import { Cells, Heads, type TableProps } from './DataList';

interface Props<T> extends TableProps<T> {
  /** total counts the rows that are not here yet too; room is left for them. */
  total: number;
  /** onSeen is told which rows are on the screen or close to it. */
  onSeen: (first: number, last: number) => void;
}

const narrow = '(max-width: 760px)';

/** rowHeight is about how high a row is; each is measured once it is there. */
function rowHeight(): number {
  return window.matchMedia(narrow).matches ? 128 : 62;
}

/** VirtualTable is a DataTable that makes elements only for rows on the screen: thousands scroll like ten. */
export function VirtualTable<T>({ columns, rows, total, rowKey, rowClass, testId, label, onSeen }: Props<T>) {
  const body = useRef<HTMLTableSectionElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    if (body.current) setTop(Math.round(body.current.getBoundingClientRect().top + window.scrollY));
  });
  const virtual = useWindowVirtualizer({
    count: total,
    estimateSize: rowHeight,
    overscan: 10,
    scrollMargin: top,
    getItemKey: (i) => {
      const row = rows[i];
      return row === undefined ? i : rowKey(row);
    },
  });
  const shown = virtual.getVirtualItems();
  const first = shown[0]?.index ?? 0;
  const last = shown.at(-1)?.index ?? 0;
  useEffect(() => onSeen(first, last), [onSeen, first, last]);
  const before = shown[0] ? shown[0].start - top : 0;
  const after = Math.max(0, virtual.getTotalSize() - ((shown.at(-1)?.end ?? top) - top));
  return (
    <table className="data data--long" aria-label={label} aria-rowcount={total + 1} data-testid={testId}>
      <Heads columns={columns} />
      <tbody ref={body}>
        <Space height={before} columns={columns.length} />
        {shown.map(({ index, key }) => {
          const row = rows[index];
          return row === undefined ? (
            <tr key={key} ref={virtual.measureElement} data-index={index} aria-rowindex={index + 2} aria-busy="true">
              <td colSpan={columns.length} className="data__coming">
                <span />
              </td>
            </tr>
          ) : (
            <tr
              key={key}
              ref={virtual.measureElement}
              data-index={index}
              aria-rowindex={index + 2}
              className={rowClass?.(row)}
              data-testid={`${testId}-${rowKey(row)}`}
            >
              <Cells columns={columns} row={row} />
            </tr>
          );
        })}
        <Space height={after} columns={columns.length} />
      </tbody>
    </table>
  );
}

/** Space stands for the rows that are not made. */
function Space({ height, columns }: { height: number; columns: number }) {
  if (height <= 0) return null;
  return (
    <tr className="data__space">
      <td colSpan={columns} style={{ height }} />
    </tr>
  );
}
