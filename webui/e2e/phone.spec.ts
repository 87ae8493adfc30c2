import { expect, test } from '@playwright/test';
import { Admin, field, shot } from './pages';

test.use({ viewport: { width: 390, height: 844 } });

const places = ['dashboard', 'authorizers', 'links', 'templates', 'rollouts', 'messages', 'platform', 'simulator'];

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
