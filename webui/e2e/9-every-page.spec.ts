import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { Admin, shot } from './pages';

// Every page of the admin UI, wide and narrow, in each language and each theme: nothing that WCAG 2.2 AA forbids, nothing
// wider than the screen, and no error. The pictures are for people to look at.

const looks = [
  { language: 'zh-CN', theme: 'light' },
  { language: 'en', theme: 'dark' },
] as const;

const fixed = [
  ['overview', ''],
  ['merchants', 'authorizers'],
  ['import', 'authorizers/import'],
  ['links', 'links'],
  ['registrations', 'registrations'],
  ['templates', 'templates'],
  ['rollouts', 'rollouts'],
  ['new-rollout', 'rollouts/new'],
  ['audits', 'audits'],
  ['messages', 'messages'],
  ['rules', 'forward-rules'],
  ['new-rule', 'forward-rules/new'],
  ['deliveries', 'deliveries'],
  ['proxy', 'proxy'],
  ['platform', 'platform'],
  ['notices', 'notices'],
  ['tokens', 'tokens'],
  ['users', 'users'],
  ['api-keys', 'api-keys'],
  ['audit-log', 'audit-log'],
  ['environments', 'cloud-envs'],
  ['profiles', 'profiles'],
  ['security', 'security'],
  ['system', 'system'],
  ['simulator', 'simulator'],
  ['account', 'account'],
  ['not-found', 'nowhere'],
] as const;

const merchantTabs = ['overview', 'own', 'notes', 'releases', 'profile', 'operations', 'messages', 'timeline'];

/** firstOf is the first item of a list of the API. */
async function firstOf<T>(page: Page, path: string): Promise<T | undefined> {
  const answer = await page.request.get(`/api/v1${path}`);
  return ((await answer.json()) as { items: T[] | null }).items?.[0];
}

async function everyPage(page: Page): Promise<[string, string][]> {
  const merchant = await firstOf<{ appid: string }>(page, '/authorizers?status=authorized&limit=1');
  const rollout = await firstOf<{ id: string }>(page, '/rollouts?limit=1');
  const message = await firstOf<{ id: string }>(page, '/messages?limit=1');
  const submission = rollout && (await firstOf<{ id: string }>(page, `/submissions?rollout_id=${rollout.id}&limit=1`));
  const pages: [string, string][] = fixed.map(([name, path]) => [name, path]);
  if (merchant) {
    for (const tab of merchantTabs) pages.push([`merchant-${tab}`, `authorizers/${merchant.appid}?tab=${tab}`]);
  }
  if (rollout) pages.push(['rollout', `rollouts/${rollout.id}`]);
  if (rollout && submission) pages.push(['submission', `rollouts/${rollout.id}/${submission.id}`]);
  if (message) pages.push(['message', `messages/${message.id}`]);
  return pages;
}

async function settled(page: Page) {
  await expect(page.getByTestId('loading')).toHaveCount(0);
  await page.waitForLoadState('load');
}

for (const { language, theme } of looks) {
  test(`every page, ${language}, ${theme}`, async ({ page }) => {
    test.setTimeout(600_000);
    await page.addInitScript(
      ([language, theme]) => {
        localStorage.setItem('wxsteward.language', language);
        localStorage.setItem('wxsteward.theme', theme);
      },
      [language, theme] as const,
    );
    const broken: string[] = [];
    page.on('pageerror', (error) => broken.push(String(error)));
    await new Admin(page).signIn();
    const found: string[] = [];
    for (const [name, path] of await everyPage(page)) {
      for (const width of [1440, 390]) {
        await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
        if (width === 1440) await page.goto(`/admin/${path}`);
        await settled(page);
        const at = `${name} at ${width}`;
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        if (wide > 0) found.push(`${at}: ${wide} px wider than the screen`);
        const { violations } = await new AxeBuilder({ page })
          .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'])
          .analyze();
        for (const v of violations) {
          found.push(
            `${at}: ${v.id}: ${v.nodes
              .slice(0, 3)
              .map((n) => n.target.join(' '))
              .join(' | ')}`,
          );
        }
        await shot(page, `page-${theme}-${name}-${width}`);
      }
    }
    expect([...found, ...broken]).toEqual([]);
  });
}
