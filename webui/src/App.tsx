import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { lazy, Suspense, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { createBrowserRouter, RouterProvider } from 'react-router-dom';
import { ConfigProvider } from 'tdesign-react';
import zhWords from 'tdesign-react/es/locale/zh_CN';
import { onSignedOut } from './api/client';
import { Problem } from './api/problem';
import { keys } from './api/queries';
import { ConfirmProvider } from './components/Confirm';
import { later } from './components/later';
import { RouteFailure, Shell } from './components/Shell';

const page = {
  SignIn: lazy(() => import('./pages/SignIn')),
  Dashboard: lazy(() => import('./pages/Dashboard')),
  Authorizers: later(() => import('./pages/Authorizers')),
  AuthorizerPage: later(() => import('./pages/AuthorizerPage')),
  MerchantImport: later(() => import('./pages/MerchantImport')),
  Links: later(() => import('./pages/Links')),
  Registrations: later(() => import('./pages/Registrations')),
  Templates: later(() => import('./pages/Templates')),
  Rollouts: later(() => import('./pages/Rollouts')),
  RolloutPage: later(() => import('./pages/RolloutPage')),
  NewRollout: later(() => import('./pages/NewRollout')),
  Profiles: later(() => import('./pages/Profiles')),
  AuditDesk: later(() => import('./pages/AuditDesk')),
  Messages: later(() => import('./pages/Messages')),
  Deliveries: later(() => import('./pages/Deliveries')),
  ForwardRules: later(() => import('./pages/ForwardRules')),
  ForwardRulePage: later(() => import('./pages/ForwardRulePage')),
  ForwardRuleForm: later(() => import('./pages/ForwardRuleForm')),
  Proxy: later(() => import('./pages/Proxy')),
  Notices: later(() => import('./pages/Notices')),
  Tokens: later(() => import('./pages/Tokens')),
  Platform: later(() => import('./pages/Platform')),
  Simulator: later(() => import('./pages/Simulator')),
  Account: later(() => import('./pages/Account')),
  Users: later(() => import('./pages/Users')),
  ApiKeys: later(() => import('./pages/ApiKeys')),
  Security: later(() => import('./pages/Security')),
  AuditLog: later(() => import('./pages/AuditLog')),
  System: later(() => import('./pages/System')),
  CloudEnvs: later(() => import('./pages/CloudEnvs')),
  CloudEnvPage: later(() => import('./pages/CloudEnvPage')),
  NotFound: later(() => import('./pages/NotFound')),
};

const router = createBrowserRouter(
  [
    {
      path: '/sign-in',
      element: (
        <Suspense>
          <page.SignIn />
        </Suspense>
      ),
      errorElement: <RouteFailure />,
    },
    {
      path: '/',
      element: <Shell />,
      errorElement: <RouteFailure />,
      children: [
        {
          errorElement: <RouteFailure />,
          children: [
            { index: true, element: <page.Dashboard /> },
            { path: 'authorizers', element: <page.Authorizers /> },
            { path: 'authorizers/import/:id?', element: <page.MerchantImport /> },
            { path: 'authorizers/:appid', element: <page.AuthorizerPage /> },
            { path: 'links/:id?', element: <page.Links /> },
            { path: 'registrations/:id?', element: <page.Registrations /> },
            { path: 'templates', element: <page.Templates /> },
            { path: 'rollouts', element: <page.Rollouts /> },
            { path: 'rollouts/new', element: <page.NewRollout /> },
            { path: 'profiles', element: <page.Profiles /> },
            { path: 'rollouts/:id/:sid?', element: <page.RolloutPage /> },
            { path: 'audits', element: <page.AuditDesk /> },
            { path: 'messages/:id?', element: <page.Messages /> },
            { path: 'deliveries/:id?', element: <page.Deliveries /> },
            { path: 'forward-rules', element: <page.ForwardRules /> },
            { path: 'forward-rules/new', element: <page.ForwardRuleForm /> },
            { path: 'forward-rules/:id', element: <page.ForwardRulePage /> },
            { path: 'forward-rules/:id/edit', element: <page.ForwardRuleForm /> },
            { path: 'proxy', element: <page.Proxy /> },
            { path: 'notices', element: <page.Notices /> },
            { path: 'tokens', element: <page.Tokens /> },
            { path: 'platform', element: <page.Platform /> },
            { path: 'simulator', element: <page.Simulator /> },
            { path: 'cloud-envs', element: <page.CloudEnvs /> },
            { path: 'cloud-envs/:env/:id?', element: <page.CloudEnvPage /> },
            { path: 'users/:id?', element: <page.Users /> },
            { path: 'api-keys', element: <page.ApiKeys /> },
            { path: 'security', element: <page.Security /> },
            { path: 'audit-log', element: <page.AuditLog /> },
            { path: 'system', element: <page.System /> },
            { path: 'account', element: <page.Account /> },
            { path: '*', element: <page.NotFound /> },
          ],
        },
      ],
    },
  ],
  { basename: '/admin' },
);

function retry(failures: number, error: unknown): boolean {
  // A refusal stays one; only an unreachable or overloaded server is worth a second try.
  const status = error instanceof Problem ? error.status : 0;
  return failures < 2 && (status === 0 || status === 503 || status === 504);
}

function lookAgain(error: unknown) {
  // From now on a second factor is required of this user: the session says so, too.
  if (error instanceof Problem && error.code === 'totp_setup_required') {
    void client.invalidateQueries({ queryKey: keys.session });
  }
}

const client: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError: lookAgain }),
  defaultOptions: {
    queries: { retry, staleTime: 10_000, refetchOnWindowFocus: true },
    mutations: { retry: false },
  },
});

onSignedOut(() => client.setQueryData(keys.session, null));

export function App() {
  const { i18n } = useTranslation();
  const [words, setWords] = useState(zhWords);
  useEffect(() => {
    if (i18n.language === 'en') void import('tdesign-react/es/locale/en_US').then((m) => setWords(m.default));
    else setWords(zhWords);
  }, [i18n.language]);
  return (
    <QueryClientProvider client={client}>
      <ConfigProvider globalConfig={words}>
        <ConfirmProvider>
          <RouterProvider router={router} />
        </ConfirmProvider>
      </ConfigProvider>
    </QueryClientProvider>
  );
}
