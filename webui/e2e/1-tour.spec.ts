import { expect, test } from '@playwright/test';
import { Admin, consent, field, Simulator, shot } from './pages';

// A newcomer follows the tour of the overview page on a program that nobody has used yet, from the first sign-in to a merchant
// that is released. It runs first for that reason.

test('the tour ends with a released merchant', async ({ page, browser }) => {
  const admin = new Admin(page);
  const simulator = new Simulator(page);
  const began = Date.now();
  await admin.signIn();
  const tour = page.getByTestId('tour');
  await expect(tour).toHaveAttribute('data-step', 'authorize');
  await shot(page, 'tour-1-authorize');

  const [appid = ''] = await simulator.notAuthorized();
  await admin.open('dashboard');
  await page.getByTestId('tour-authorize').click();
  await field(page, 'biz-id').fill('my-first-shop');
  await page.getByTestId('create-link').click();
  const url = ((await page.getByTestId('link-url').textContent()) ?? '').trim();
  const phone = await browser.newPage();
  await consent(phone, url, appid);
  await phone.close();
  await expect(admin.linkStatus('authorized')).toBeVisible();
  await page.keyboard.press('Escape');

  await admin.open('dashboard');
  await expect(tour).toHaveAttribute('data-step', 'rollout');
  await page.getByTestId('tour-rollout').click();
  await admin.prepareRollout({
    name: 'My first rollout',
    appids: [appid],
    privacy: ['UserInfo', 'PhoneNumber', 'Address'],
  });
  await admin.confirmStart();
  await admin.expectState(appid, 'auditing');

  await admin.open('dashboard');
  await expect(tour).toHaveAttribute('data-step', 'review');
  await shot(page, 'tour-3-review');
  await page.getByTestId('tour-review').click();
  await page.getByTestId(`sim-approve-${appid}`).click();

  await admin.open('dashboard');
  await expect(tour).toHaveAttribute('data-step', 'over', { timeout: 60_000 });
  await shot(page, 'tour-5-over');
  console.log(`from the sign-in page to a released merchant: ${Math.round((Date.now() - began) / 1000)} s`);
  await page.getByTestId('tour-hide').click();
  await expect(tour).toBeHidden();
  await page.reload();
  await expect(page.getByTestId('page-title')).toBeVisible();
  await expect(tour).toBeHidden();
});
