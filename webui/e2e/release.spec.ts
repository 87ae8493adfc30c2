import { expect, test } from '@playwright/test';
import { Admin, consent, Simulator, shot } from './pages';

test('a merchant goes from the authorization link to the released version', async ({ page, context }) => {
  const admin = new Admin(page);
  const wechat = new Simulator(page);
  const bizId = `shop-${Date.now()}`;

  await admin.signIn();
  await expect(page.getByTestId('simulation-banner')).toBeVisible();
  await expect(page.getByTestId('stat-merchants')).toContainText(/[1-9]/);
  await shot(page, '01-dashboard');

  const [appid = ''] = await wechat.notAuthorized();
  expect(appid).not.toBe('');

  const url = await admin.createLink(bizId);
  await shot(page, '02-link');

  const merchant = await context.newPage();
  await merchant.goto(url);
  await expect(admin.linkStatus('opened')).toBeVisible();
  await consent(merchant, url, appid);
  await expect(admin.linkStatus('authorized')).toBeVisible();
  await shot(merchant, '03-merchant-done');
  await shot(page, '04-link-authorized');
  await merchant.close();

  await page.getByTestId('link-merchant').click();
  await expect(page.getByTestId('merchant-authorization')).toContainText(bizId);
  await shot(page, '05-merchant');

  await admin.open('authorizers');
  await expect(admin.merchantRow(appid)).toContainText(bizId);

  await admin.prepareRollout({ name: '端到端发布', appids: [appid], privacy: ['UserInfo', 'PhoneNumber', 'Address'] });
  await expect(page.getByTestId('preflight-ready')).toContainText('1');
  await shot(page, '06-preflight');
  await admin.confirmStart();
  const rollout = page.url();
  await admin.expectState(appid, 'auditing');
  await shot(page, '07-auditing');

  // The reviewer works in another tab: this one is never reloaded.
  const reviewer = await context.newPage();
  await reviewer.goto('/admin/');
  await new Simulator(reviewer).approve(appid);
  await reviewer.close();
  await admin.expectState(appid, 'released');
  expect(page.url()).toBe(rollout);
  await expect(page.getByTestId('rollout-state-completed')).toBeVisible();

  const detail = await admin.openSubmission(appid);
  for (const step of ['committing', 'detecting', 'submitting', 'auditing', 'releasing']) {
    await expect(detail.getByTestId(`step-${step}`)).toHaveAttribute('data-state', 'done');
  }
  await shot(page, '08-released');
});
