import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
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

const client = new QueryClient({
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
