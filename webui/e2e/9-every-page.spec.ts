import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { Admin, shot } from './pages';

// Every page of the admin UI, wide and narrow, in each language and each theme: nothing that WCAG 2.2 AA forbids, nothing
// wider than the screen, and no error. The pictures are for people to look at.

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

type Look = { language: 'zh-CN' | 'en'; theme: 'light' | 'dark' };

// One after the other, each differs in one thing, so that a page is loaded once and then turned over by its buttons.
const looks: Look[] = [
  { language: 'zh-CN', theme: 'light' },
  { language: 'zh-CN', theme: 'dark' },
  { language: 'en', theme: 'dark' },
  { language: 'en', theme: 'light' },
];

// The buttons are out of reach of people while a panel is open, but not of this.
async function look(page: Page, { language, theme }: Look) {
  const html = page.locator('html');
  if ((await html.getAttribute('lang')) !== language) await page.getByTestId('language').dispatchEvent('click');
  await expect(html).toHaveAttribute('lang', language);
  for (let i = 0; i < 2 && (await html.getAttribute('theme-mode')) !== theme; i++) {
    await page.getByTestId('theme').dispatchEvent('click'); // goes round three: the third is what the device says
  }
  await expect(html).toHaveAttribute('theme-mode', theme);
  await settled(page);
}

/** wrong is what is to be said against a page, twice: what was only on its way to something else is no fault. */
async function wrong(page: Page, colours: boolean): Promise<string[]> {
  const found = await wrongNow(page, colours);
  if (found.length === 0) return found;
  await page.waitForTimeout(1000); // the pace at which a page follows what happens
  const still = await wrongNow(page, colours);
  return found.filter((fault) => still.includes(fault));
}

/** Without colours it takes half the time. */
async function wrongNow(page: Page, colours: boolean): Promise<string[]> {
  const found: string[] = [];
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) found.push(`${wide} px wider than the screen`);
  const { violations } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'])
    .disableRules(colours ? [] : ['color-contrast'])
    .analyze();
  for (const v of violations) {
    const places = v.nodes.slice(0, 3).map((n) => n.target.join(' '));
    found.push(`${v.id}: ${places.join(' | ')}`);
  }
  return found;
}

test('every page in each language, each theme, wide and narrow', async ({ page }) => {
  test.setTimeout(900_000);
  const found: string[] = [];
  page.on('pageerror', (error) => found.push(String(error)));
  await new Admin(page).signIn();
  for (const [name, path] of await everyPage(page)) {
    await page.goto(`/admin/${path}`);
    await settled(page);
    for (const { language, theme } of looks) {
      await page.setViewportSize({ width: 1440, height: 900 });
      await look(page, { language, theme });
      // The narrow page has the same colours and, in one language, the same names; it is looked at in two of the four.
      const narrow = (language === 'en') === (theme === 'dark');
      for (const width of narrow ? [1440, 390] : [1440]) {
        await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
        for (const fault of await wrong(page, width === 1440)) {
          found.push(`${name}, ${language}, ${theme}, ${width}: ${fault}`);
        }
        if (narrow) await shot(page, `page-${theme}-${name}-${width}`);
      }
    }
    looks.reverse();
  }
  expect(found).toEqual([]);
});
