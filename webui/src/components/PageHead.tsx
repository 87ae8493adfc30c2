import { type ReactNode, useEffect } from 'react';
import { Link } from 'react-router-dom';

interface Props {
  title: string;
  back?: { to: string; label: string };
  children?: ReactNode;
  aside?: ReactNode;
}

/** PageHead is the title line of a page with its buttons; it names the browser tab as well. */
export function PageHead({ title, back, children, aside }: Props) {
  useEffect(() => {
    document.title = `${title} · wxsteward`;
  }, [title]);
  return (
    <header className="pagehead">
      <div className="pagehead__title">
        {back && (
          <Link className="pagehead__back" to={back.to}>
            ‹ {back.label}
          </Link>
        )}
        <h1 data-testid="page-title">{title}</h1>
        {aside}
      </div>
      {children && <div className="pagehead__actions">{children}</div>}
    </header>
  );
}

export function Panel(props: {
  title?: string;
  hint?: ReactNode;
  extra?: ReactNode;
  children: ReactNode;
  testId?: string;
}) {
  const { title, hint, extra, children, testId } = props;
  return (
    <section className="panel" data-testid={testId}>
      {(title || extra) && (
        <div className="panel__head">
          <div>
            {title && <h2>{title}</h2>}
            {hint && <p className="muted">{hint}</p>}
          </div>
          {extra}
        </div>
      )}
      {children}
    </section>
  );
}

/** Pairs is a list of names and values; brief leaves out those without a value. */
export function Pairs({ items, brief = false }: { items: [string, ReactNode][]; brief?: boolean }) {
  const empty = (value: ReactNode) => value === '' || value === null || value === undefined;
  const shown = brief ? items.filter(([, value]) => !empty(value)) : items;
  return (
    <dl className="pairs">
      {shown.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{empty(value) ? <span className="none">—</span> : value}</dd>
        </div>
      ))}
    </dl>
  );
}
