import { expect, test } from '@playwright/test';
import { password, username } from './environment';
import { Admin, confirm, field, shot } from './pages';

test.use({ viewport: { width: 390, height: 844 } });

const places = [
  'dashboard',
  'authorizers',
  'links',
  'registrations',
  'templates',
  'rollouts',
  'audits',
  'messages',
  'rules',
  'deliveries',
  'proxy',
  'platform',
  'notices',
  'tokens',
  'simulator',
  'cloudEnvs',
  'users',
  'apiKeys',
  'security',
  'auditLog',
  'system',
];

test('every page fits a phone and is reached through the menu', async ({ page }) => {
  await new Admin(page).signIn();
  for (const place of places) {
    await page.getByTestId('menu').click();
    await page.getByTestId('drawer-menu').getByTestId(`nav-${place}`).click();
    await expect(page.getByTestId('page-title')).toBeVisible();
    await expect(page.getByTestId('loading')).toHaveCount(0);
    await expect(page.getByTestId('problem')).toHaveCount(0);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0);
    await shot(page, `21-phone-${place}`);
  }
});

test('a wrong password is told, and the session ends at sign-out', async ({ page }) => {
  await page.goto('/admin/rollouts');
  await field(page, 'username').fill('nobody');
  await field(page, 'password').fill('not the password');
  await page.getByTestId('sign-in-submit').click();
  await expect(page.getByTestId('wrong-password')).toBeVisible();
  await new Admin(page).signIn();
  await page.getByTestId('nav-account').click();
  await page.getByTestId('sign-out').click();
  await expect(page.getByTestId('sign-in')).toBeVisible();
});

test('a session that has ended is told, and signing in leads back to the page', async ({ page, context }) => {
  const admin = new Admin(page);
  await admin.signIn();
  await page.goto('/admin/platform');
  await expect(page.getByTestId('restart-ticket')).toBeVisible();
  await context.clearCookies();
  await page.getByTestId('restart-ticket').click();
  await page.getByTestId('confirm-ok').click();
  await expect(page.getByTestId('session-expired')).toBeVisible();
  await expect(page.getByTestId('confirm-ok')).toBeHidden();
  await field(page, 'username').fill(username);
  await field(page, 'password').fill(password);
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/admin\/platform$/);
});

test('a paced rollout is described in the form and on its page, and the keyboard alone cancels it', async ({
  page,
}) => {
  const admin = new Admin(page);
  await admin.signIn();
  await page.goto('/admin/rollouts/new');
  await page.locator('[data-testid^="template-option-"]').first().click();
  await admin.step('targets');
  await page.getByTestId('choice-targets-all').click();
  await admin.step('version');
  await field(page, 'name').fill('夜间分批发布');
  await admin.step('release');
  await field(page, 'canary').fill('1');
  await field(page, 'batch-size').fill('5');
  await field(page, 'max-failed').fill('0');
  await field(page, 'start-at').fill('2099-01-01T02:00');
  await field(page, 'window').fill('每天 2 点');
  await expect(page.getByTestId('error-window')).toBeVisible();
  await expect(page.getByTestId('wizard-release')).toHaveAttribute('data-state', 'wrong');
  await field(page, 'window').fill('* 2-5 * * *');
  await expect(page.getByTestId('window-words')).toContainText('02:00–05:59');
  await admin.preflight();
  await page.getByTestId('start-rollout').click();
  await confirm(page);
  await expect(page.getByTestId('rollout-state-scheduled')).toBeVisible();
  await expect(page.getByTestId('scheduled-for')).toContainText('2099');
  await expect(page.getByTestId('strategy')).toContainText('每批 5 个');
  await expect(page.getByTestId('page-title')).toBeInViewport();
  await shot(page, '22-phone-strategy');

  const cancel = page.getByTestId('rollout-cancel');
  await cancel.focus();
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('confirm-cancel')).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(page.getByTestId('confirm-ok')).toBeHidden();
  await expect(cancel).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('confirm-cancel')).toBeFocused();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('rollout-state-canceled')).toBeVisible();
});
