import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Suspense, useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, Navigate, NavLink, Outlet, useLocation, useNavigationType, useRouteError } from 'react-router-dom';
import {
  AddRectangleIcon,
  AssignmentCheckedIcon,
  ChatMessageIcon,
  CloudIcon,
  DashboardIcon,
  HistoryIcon,
  KeyIcon,
  LayersIcon,
  Link1Icon,
  LockOnIcon,
  NotificationIcon,
  PlayCircleIcon,
  RelationIcon,
  RocketIcon,
  SendIcon,
  ServerIcon,
  SettingIcon,
  ShopIcon,
  SwapIcon,
  TranslateIcon,
  UserCircleIcon,
  UserIcon,
  UserPasswordIcon,
  ViewListIcon,
} from 'tdesign-icons-react';
import { Drawer } from 'tdesign-react';
import { componentQuery, keys, metaQuery, sessionQuery } from '../api/queries';
import { switchLanguage } from '../i18n';
import { Button } from './Button';
import { later } from './later';
import { ModalBody } from './ModalBody';
import { Palette } from './Palette';
import { ProblemPanel } from './ProblemPanel';
import { Loading } from './QueryView';
import { useCan } from './session';
import { ThemeButton } from './ThemeButton';
import { useLive } from './useLive';

const groups = [
  { key: 'start', places: [{ to: '/', key: 'dashboard', icon: <DashboardIcon />, end: true }] },
  {
    key: 'merchants',
    places: [
      { to: '/authorizers', key: 'authorizers', icon: <ShopIcon /> },
      { to: '/links', key: 'links', icon: <Link1Icon /> },
      { to: '/registrations', key: 'registrations', icon: <AddRectangleIcon /> },
    ],
  },
  {
    key: 'code',
    places: [
      { to: '/templates', key: 'templates', icon: <LayersIcon /> },
      { to: '/rollouts', key: 'rollouts', icon: <RocketIcon /> },
      { to: '/audits', key: 'audits', icon: <AssignmentCheckedIcon /> },
    ],
  },
  {
    key: 'messaging',
    places: [
      { to: '/messages', key: 'messages', icon: <ChatMessageIcon /> },
      { to: '/forward-rules', key: 'rules', icon: <RelationIcon /> },
      { to: '/deliveries', key: 'deliveries', icon: <SendIcon /> },
      { to: '/proxy', key: 'proxy', icon: <SwapIcon /> },
    ],
  },
  {
    key: 'platform',
    places: [
      { to: '/platform', key: 'platform', icon: <SettingIcon /> },
      { to: '/notices', key: 'notices', icon: <NotificationIcon /> },
      { to: '/tokens', key: 'tokens', icon: <KeyIcon />, role: 'operator' },
    ],
  },
  {
    key: 'admin',
    places: [
      { to: '/cloud-envs', key: 'cloudEnvs', icon: <CloudIcon /> },
      { to: '/users', key: 'users', icon: <UserIcon />, role: 'admin' },
      { to: '/api-keys', key: 'apiKeys', icon: <UserPasswordIcon />, role: 'admin' },
      { to: '/security', key: 'security', icon: <LockOnIcon />, role: 'admin' },
      { to: '/audit-log', key: 'auditLog', icon: <HistoryIcon />, role: 'operator' },
      { to: '/system', key: 'system', icon: <ServerIcon />, role: 'admin' },
    ],
  },
] as const;

const SecondFactorRequired = later(() => import('../pages/SecondFactorRequired'));

type PlaceKey = (typeof groups)[number]['places'][number]['key'];

/** useShown says which places the user's role opens. */
function useShown() {
  const may = { operator: useCan('operator'), admin: useCan('admin') };
  return (place: { key: string; role?: 'operator' | 'admin' }) => place.role === undefined || may[place.role];
}

function Nav({ simulation, onGo }: { simulation: boolean; onGo?: () => void }) {
  const { t } = useTranslation();
  const shown = useShown();
  return (
    <nav className="nav" aria-label={t('app.main')} data-testid="nav">
      {groups.map((g) => (
        <section key={g.key} className="nav__group" aria-label={t(`navGroup.${g.key}`)}>
          {g.key !== 'start' && <h2 className="nav__title">{t(`navGroup.${g.key}`)}</h2>}
          {g.places.map(
            (p) =>
              shown(p) && (
                <NavLink key={p.to} to={p.to} end={'end' in p} onClick={onGo} data-testid={`nav-${p.key}`}>
                  {p.icon}
                  {t(`nav.${p.key}`)}
                </NavLink>
              ),
          )}
          {g.key === 'platform' && simulation && (
            <NavLink to="/simulator" onClick={onGo} data-testid="nav-simulator">
              <PlayCircleIcon />
              {t('nav.simulator')}
            </NavLink>
          )}
        </section>
      ))}
    </nav>
  );
}

function Brand({ name }: { name?: string }) {
  const { t } = useTranslation();
  return (
    <Link to="/" className="brand">
      <svg viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="8" />
        <path d="M6.5 10.5 11 22l5-11 5 11 4.5-11.5" />
      </svg>
      <span>
        <b>wxsteward</b>
        <small>{name || t('app.name')}</small>
      </span>
    </Link>
  );
}

export function LanguageButton() {
  const { t, i18n } = useTranslation();
  const client = useQueryClient();

  async function change() {
    await switchLanguage(i18n.language === 'en' ? 'zh-CN' : 'en');
    await client.invalidateQueries(); // the server writes hints and errors in the reader's language
  }

  return (
    <Button variant="text" icon={<TranslateIcon />} onClick={() => void change()} data-testid="language">
      {t('app.language')}
    </Button>
  );
}

export function SimulationBanner() {
  const { t } = useTranslation();
  const { data } = useQuery(metaQuery);
  if (!data?.simulation) return null;
  return (
    <div className="simbanner" role="note" data-testid="simulation-banner">
      <PlayCircleIcon />
      {t('app.simulation')}
    </div>
  );
}

/** pageOf is the part of an address that names a page; what follows only opens a drawer on it. */
function pageOf(path: string): string {
  const [, first = '', second = ''] = path.split('/');
  return ['links', 'registrations', 'messages', 'deliveries', 'users'].includes(first) ? first : `${first}/${second}`;
}

/** useTop shows a page from its top; going back shows it where it was left. */
function useTop(path: string) {
  const page = pageOf(path);
  const how = useNavigationType();
  const last = useRef(page);
  useEffect(() => {
    if (last.current === page) return;
    last.current = page;
    if (how !== 'POP') window.scrollTo(0, 0);
  }, [page, how]);
}

/** Shell is the frame of every page for a signed-in user. */
export function Shell() {
  const { t } = useTranslation();
  const place = useLocation();
  useTop(place.pathname);
  const client = useQueryClient();
  const session = useQuery(sessionQuery);
  const meta = useQuery(metaQuery);
  const bound = session.data?.totp_setup_required === true;
  const component = useQuery({ ...componentQuery, enabled: Boolean(session.data) && !bound });
  const live = useLive(Boolean(session.data) && !bound);
  // Whoever sets up a second factor stays there until the recovery codes were seen.
  const [settingUp, setSettingUp] = useState(false);
  useEffect(() => {
    if (bound) setSettingUp(true);
  }, [bound]);
  const shown = useShown();
  const [menu, setMenu] = useState(false);
  const closeMenu = useCallback(() => setMenu(false), []);

  useEffect(() => {
    if (place.pathname) setMenu(false);
  }, [place.pathname]);
  const signedOut = session.data === null;
  useEffect(() => {
    if (signedOut) {
      client.removeQueries({ predicate: (q) => q.queryKey[0] !== keys.session[0] && q.queryKey[0] !== keys.meta[0] });
    }
  }, [signedOut, client]);

  const had = useRef(false);
  if (session.data) had.current = true;

  if (signedOut) {
    // Who leaves by hand neither comes back here nor is told that the session is over.
    if (client.getQueryData(keys.left)) return <Navigate to="/sign-in" replace />;
    const next = place.pathname + place.search;
    return (
      <Navigate
        to={next === '/' ? '/sign-in' : `/sign-in?next=${encodeURIComponent(next)}`}
        state={{ expired: had.current }}
        replace
      />
    );
  }
  if (!session.data) {
    return (
      <div className="splash">
        {session.isError ? (
          <ProblemPanel error={session.error} onRetry={() => void session.refetch()} />
        ) : (
          <Loading rows={3} />
        )}
      </div>
    );
  }
  if (bound || settingUp) {
    const done = async () => {
      await client.invalidateQueries({ queryKey: keys.session });
      setSettingUp(false);
    };
    return (
      <>
        <SimulationBanner />
        <Suspense fallback={<Loading rows={6} />}>
          <SecondFactorRequired onDone={() => void done()} />
        </Suspense>
      </>
    );
  }
  const simulation = meta.data?.simulation ?? false;
  const pages = groups
    .flatMap((g): readonly { to: string; key: PlaceKey; role?: 'operator' | 'admin' }[] => g.places)
    .filter(shown)
    .map((p) => ({ to: p.to, title: t(`nav.${p.key}`) }));
  const liveText = live === 'live' ? t('app.live') : live === 'lost' ? t('app.lost') : t('app.connecting');
  return (
    <>
      <a className="skip" href="#content">
        {t('app.skip')}
      </a>
      <SimulationBanner />
      <div className="frame">
        <aside className="sidebar">
          <div className="sidebar__inner">
            <Brand name={component.data?.name} />
            <Nav simulation={simulation} />
          </div>
        </aside>
        <div className="body">
          <div className="topbar">
            <Button
              className="topbar__menu"
              variant="text"
              shape="square"
              icon={<ViewListIcon />}
              aria-label={t('app.menu')}
              onClick={() => setMenu(true)}
              data-testid="menu"
            />
            <span className={`live live--${live}`} title={liveText} data-testid={`live-${live}`}>
              <i aria-hidden="true" />
              <span>{liveText}</span>
            </span>
            {session.data.user.role === 'viewer' && (
              <span className="tag" title={t('app.readOnly')} data-testid="read-only">
                {t('account.roles.viewer')}
              </span>
            )}
            <Palette pages={pages} />
            <ThemeButton />
            <LanguageButton />
            <Link to="/account" className="topbar__user" data-testid="nav-account">
              <UserCircleIcon />
              {session.data.user.username}
            </Link>
          </div>
          <main id="content" className="content" tabIndex={-1}>
            <Suspense fallback={<Loading rows={6} />}>
              <Outlet />
            </Suspense>
          </main>
        </div>
      </div>
      <Drawer
        visible={menu}
        placement="left"
        size="260px"
        header={false}
        footer={false}
        preventScrollThrough={false}
        closeOnEscKeydown={false}
        onClose={closeMenu}
      >
        <ModalBody
          box=".t-drawer"
          label={t('app.main')}
          visible={menu}
          onEscape={closeMenu}
          className="drawermenu"
          testId="drawer-menu"
        >
          <Brand name={component.data?.name} />
          <Nav simulation={simulation} onGo={closeMenu} />
        </ModalBody>
      </Drawer>
    </>
  );
}

/** RouteFailure is shown when a page could not be loaded or broke while being drawn. */
export function RouteFailure() {
  const { t } = useTranslation();
  const error = useRouteError();
  const chunk = error instanceof Error && /dynamically imported module|Importing a module/.test(error.message);
  // A server that was away is waited for; one that is there and still lacks the file is not asked again and again.
  useEffect(() => {
    if (!chunk) return;
    let away = false;
    const timer = setInterval(async () => {
      const here = await fetch('/api/v1/meta').then(
        (response) => response.ok || response.status === 401,
        () => false,
      );
      if (here && away) window.location.reload();
      away = !here;
    }, 3000);
    return () => clearInterval(timer);
  }, [chunk]);
  return (
    <div className="splash">
      {chunk ? <p>{t('app.chunkFailed')}</p> : <ProblemPanel error={error} />}
      <Button onClick={() => window.location.reload()}>{t('app.reload')}</Button>
    </div>
  );
}
