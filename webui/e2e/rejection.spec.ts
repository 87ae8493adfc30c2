import { expect, test } from '@playwright/test';
import { Admin, confirm, field, Simulator, shot } from './pages';

test('a rejection is shown with its reason and picture, and a retry submits again', async ({ page, context }) => {
  const admin = new Admin(page);
  await admin.signIn();

  // The first merchant that preflight finds nothing against.
  await admin.newRollout();
  await page.locator('[data-testid^="template-option-"]').first().click();
  await admin.step('targets');
  await page.getByTestId('choice-targets-all').click();
  await expect(page.getByTestId('target-count')).toContainText(/[1-9]/);
  await admin.step('version');
  await field(page, 'name').fill('找一个可发布的商户');
  await admin.preflight();
  await page.getByTestId('choice-items-all').click();
  const appid = (await page.getByTestId('ready-appid').first().getAttribute('data-appid')) ?? '';
  await shot(page, '11-preflight-all');

  await admin.prepareRollout({
    name: '会被驳回的发布',
    appids: [appid],
    privacy: ['UserInfo', 'PhoneNumber', 'Address'],
  });
  await admin.confirmStart();
  await admin.expectState(appid, 'auditing');

  const reviewer = await context.newPage();
  await reviewer.goto('/admin/');
  await new Simulator(reviewer).reject(appid, '1:内容与类目不符:<br>(1):请补充测试账号。');
  await reviewer.close();

  await admin.expectState(appid, 'rejected');
  const detail = await admin.openSubmission(appid);
  await expect(detail.getByTestId('rejection-reason')).toContainText('请补充测试账号');
  await expect(detail.getByTestId('rejection-reason')).not.toContainText('<br>');
  await expect(detail).not.toContainText('<br>');
  await expect(detail.getByTestId('submission-error')).toBeHidden();
  const picture = detail.getByTestId('screenshot').first().locator('img');
  await expect(picture).toBeVisible();
  await expect.poll(() => picture.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBeGreaterThan(0);
  await shot(page, '12-rejected');

  await page.goto('/admin/');
  await expect(page.getByTestId('attention-rejected').getByTestId(`attention-item-${appid}`)).toBeVisible();
  await shot(page, '13-needs-attention');
  await page.getByTestId('attention-rejected').getByTestId(`attention-item-${appid}`).click();
  await page.getByTestId('submission-retry').click();
  await confirm(page);
  await page.keyboard.press('Escape');
  await admin.expectState(appid, 'auditing');
});
