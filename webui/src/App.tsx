import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { lazy, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { createBrowserRouter, RouterProvider } from 'react-router-dom';
import { ConfigProvider } from 'tdesign-react';
import zhWords from 'tdesign-react/es/locale/zh_CN';
import { onSignedOut } from './api/client';
import { Problem } from './api/problem';
import { keys } from './api/queries';
import { ConfirmProvider } from './components/Confirm';
import { RouteFailure, Shell } from './components/Shell';
import { SignIn } from './pages/SignIn';

const page = {
  Dashboard: lazy(() => import('./pages/Dashboard')),
  Authorizers: lazy(() => import('./pages/Authorizers')),
  AuthorizerPage: lazy(() => import('./pages/AuthorizerPage')),
  MerchantImport: lazy(() => import('./pages/MerchantImport')),
  Links: lazy(() => import('./pages/Links')),
  Registrations: lazy(() => import('./pages/Registrations')),
  Templates: lazy(() => import('./pages/Templates')),
  Rollouts: lazy(() => import('./pages/Rollouts')),
  RolloutPage: lazy(() => import('./pages/RolloutPage')),
  NewRollout: lazy(() => import('./pages/NewRollout')),
  Profiles: lazy(() => import('./pages/Profiles')),
  AuditDesk: lazy(() => import('./pages/AuditDesk')),
  Messages: lazy(() => import('./pages/Messages')),
  Deliveries: lazy(() => import('./pages/Deliveries')),
  ForwardRules: lazy(() => import('./pages/ForwardRules')),
  ForwardRulePage: lazy(() => import('./pages/ForwardRulePage')),
  ForwardRuleForm: lazy(() => import('./pages/ForwardRuleForm')),
  Proxy: lazy(() => import('./pages/Proxy')),
  Notices: lazy(() => import('./pages/Notices')),
  Tokens: lazy(() => import('./pages/Tokens')),
  Platform: lazy(() => import('./pages/Platform')),
  Simulator: lazy(() => import('./pages/Simulator')),
  Account: lazy(() => import('./pages/Account')),
  Users: lazy(() => import('./pages/Users')),
  ApiKeys: lazy(() => import('./pages/ApiKeys')),
  Security: lazy(() => import('./pages/Security')),
  AuditLog: lazy(() => import('./pages/AuditLog')),
  System: lazy(() => import('./pages/System')),
  CloudEnvs: lazy(() => import('./pages/CloudEnvs')),
  CloudEnvPage: lazy(() => import('./pages/CloudEnvPage')),
  NotFound: lazy(() => import('./pages/NotFound')),
};

const router = createBrowserRouter(
  [
    { path: '/sign-in', element: <SignIn />, errorElement: <RouteFailure /> },
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
