import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { memo, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { Cells, type Column, Heads, type TableProps } from './DataList';

interface Props<T> extends TableProps<T> {
  /** total counts the rows that are not here yet too; room is left for them. */
  total: number;
  /** onSeen is told which rows are on the screen or close to it. */
  onSeen: (first: number, last: number) => void;
  /** nameOf names a row for tests; else its key does. */
  nameOf?: (row: T) => string;
}

const narrow = '(max-width: 760px)';

/** rowHeight is about how high a row is; each is measured once it is there. */
function rowHeight(): number {
  return window.matchMedia(narrow).matches ? 128 : 62;
}

interface RowProps<T> {
  row: T;
  index: number;
  columns: Column<T>[];
  className: string | undefined;
  testId: string;
  measure: (element: HTMLTableRowElement | null) => void;
}

/** Row is made again only when it has changed itself, not whenever one scrolls. */
const Row = memo(function Row<T>({ row, index, columns, className, testId, measure }: RowProps<T>) {
  return (
    <tr ref={measure} data-index={index} aria-rowindex={index + 2} className={className} data-testid={testId}>
      <Cells columns={columns} row={row} />
    </tr>
  );
}) as <T>(props: RowProps<T>) => React.ReactNode;

/**
 * VirtualTable is a DataTable that makes elements only for rows on the screen: thousands scroll like ten. The same columns,
 * rowKey and onSeen should be handed over as long as nothing has changed.
 */
export function VirtualTable<T>({
  columns,
  rows,
  total,
  rowKey,
  rowClass,
  testId,
  label,
  onSeen,
  nameOf = rowKey,
}: Props<T>) {
  const body = useRef<HTMLTableSectionElement>(null);
  const [top, setTop] = useState(0);
  const [height] = useState(rowHeight);
  useLayoutEffect(() => {
    if (body.current) setTop(Math.round(body.current.getBoundingClientRect().top + window.scrollY));
  });
  const keyAt = useCallback(
    (i: number) => {
      const row = rows[i];
      return row === undefined ? i : rowKey(row);
    },
    [rows, rowKey],
  );
  const virtual = useWindowVirtualizer({
    count: total,
    estimateSize: () => height,
    overscan: 10,
    scrollMargin: top,
    getItemKey: keyAt,
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
            <Row
              key={key}
              row={row}
              index={index}
              columns={columns}
              className={rowClass?.(row)}
              testId={`${testId}-${nameOf(row)}`}
              measure={virtual.measureElement}
            />
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
