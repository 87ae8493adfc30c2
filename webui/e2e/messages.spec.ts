import { expect, type Page, test } from '@playwright/test';
import { Admin, confirm, Simulator, send, shot } from './pages';
import { startTarget } from './target';

const broken = `<!doctype html>
<html>
<body>
<h1>500</h1>
<p>order service: database is locked</p>
</body>
</html>
`;

async function anyMerchant(page: Page): Promise<string> {
  const list = (await send(page, 'GET', '/api/v1/authorizers?status=authorized&limit=5')) as {
    items: { appid: string }[];
  };
  return list.items.at(-1)?.appid ?? ''; // other specs write to the first ones
}

test('messages appear by themselves, are found again, fail to be delivered and are sent once more', async ({
  page,
  context,
}) => {
  const admin = new Admin(page);
  const wechat = new Simulator(page);
  const shop = await startTarget();
  const got = () => shop.calls.map((c) => c.body.toString());
  try {
    await admin.signIn();
    const appid = await anyMerchant(page);
    const rule = (await send(page, 'POST', '/api/v1/forward-rules', {
      name: '商城订单系统',
      channel: 'biz',
      target_url: `${shop.url}/wx/$APPID$`,
      appids: [appid],
    })) as { id: string };

    await admin.open('messages');
    await expect(page.getByTestId('message')).toBeVisible();
    const rows = page.getByTestId('message').locator('tbody tr');
    const row = (text: string) => rows.filter({ hasText: appid }).filter({ hasText: text });
    const first = page.getByTestId('message').locator('tbody tr').first();
    await wechat.message(appid, '今天营业吗？');
    await expect(first).toContainText('文本消息');
    await expect(first).toContainText(appid);
    await expect(first.getByTestId('tally-delivered')).toBeVisible();
    expect(got().join()).toContain('今天营业吗？');
    await shot(page, '31-messages');

    // While the reader is further down, new ones wait.
    for (let n = 1; n <= 24; n++) await wechat.message(appid, `消息 ${n}`);
    await expect(row('文本消息')).toHaveCount(25);
    await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
    const count = await row('文本消息').count();
    const seen = page.getByTestId('message').locator('tbody tr').nth(18);
    const before = await seen.boundingBox();
    await wechat.message(appid, '在读的时候来的');
    await expect(page.getByTestId('new-messages')).toContainText('条新消息');
    expect(await row('文本消息').count()).toBe(count);
    expect((await seen.boundingBox())?.y).toBe(before?.y);
    await shot(page, '32-messages-waiting');
    await page.getByTestId('new-messages').click();
    await expect(row('文本消息')).toHaveCount(count + 1);
    await expect(page.getByTestId('new-messages')).toBeHidden();

    // Filters live in the address.
    await page.getByTestId('search').locator('input').fill('在读的时候');
    await expect(page.getByTestId('search-progress')).toContainText('找到 1 条');
    await expect(page).toHaveURL(/q=/);
    await expect(page.getByTestId('live-tail')).toBeDisabled();
    await page.reload();
    await expect(page.getByTestId('search-progress')).toContainText('找到 1 条');
    await page.getByTestId('clear-filters').click();
    await page.getByTestId('combo-kind').locator('input').fill('验证票据');
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(/info_type=component_verify_ticket/);
    await expect(rows.filter({ hasText: '验证票据' }).first()).toBeVisible();
    await expect(rows.filter({ hasText: '文本消息' })).toHaveCount(0);
    await page.getByTestId('combo-kind-clear').click();
    await page.getByTestId('combo-merchant').locator('input').fill(appid);
    await page.getByTestId(`option-${appid}`).click();
    await expect(page).toHaveURL(new RegExp(`appid=${appid}`));
    await expect(row('文本消息').first()).toBeVisible();
    await expect(rows.filter({ hasText: '验证票据' })).toHaveCount(0);

    // The business system breaks: the delivery is given up, seen, and sent again by hand.
    shop.answer(500, broken);
    await wechat.message(appid, '我的订单呢？');
    await expect(first.getByTestId('tally-dead')).toBeVisible({ timeout: 90_000 });
    await first.getByRole('link').click();
    const detail = page.getByTestId('message-detail');
    await expect(detail.getByTestId('message-body')).toContainText('我的订单呢？');
    await expect(detail.getByTestId('attempt').first()).toContainText('HTTP 500');
    await expect(detail.getByTestId('attempt-response').first()).toContainText('database is locked');
    const message = page.url();
    await shot(page, '33-message-failed');
    await page.goto(message);
    await expect(detail.getByTestId('message-body')).toContainText('我的订单呢？');
    shop.answer(200, 'success');
    await detail.locator('[data-testid^="retry-"]').click();
    await confirm(page);
    await expect(detail.getByTestId('delivery-state-delivered')).toBeVisible();
    await expect(detail.getByTestId('attempt').first()).toContainText('HTTP 200');
    const tries = got().filter((body) => body.includes('我的订单呢？')).length;
    await detail.getByTestId('redeliver').click();
    await confirm(page);
    await expect.poll(() => got().filter((body) => body.includes('我的订单呢？')).length).toBe(tries + 1);
    await shot(page, '34-message-delivered');
    await detail.getByTestId('close').click();

    // Several dead letters of a rule at once.
    shop.answer(500, broken);
    for (let n = 1; n <= 3; n++) await wechat.message(appid, `催单 ${n}`);
    await page.goto(`/admin/deliveries?rule_id=${rule.id}&state=dead`);
    await expect(page.getByTestId('delivery').locator('tbody tr')).toHaveCount(3, { timeout: 90_000 });
    await shot(page, '35-deliveries-dead');
    await page.goto('/admin/');
    await expect(page.getByTestId(`notice-dead-${rule.id}`)).toContainText('3');
    await expect(page.getByTestId('rate-chart').locator('.chart__bar')).not.toHaveCount(0);
    await page.getByTestId('chart-as-table').click();
    await expect(page.getByTestId('chart-table')).toContainText(/[1-9]\d/);
    await page.getByTestId('chart-as-table').click();
    await page.getByTestId('choice-rate-1h').click();
    await expect(page.getByTestId('rate-chart').locator('.chart__bar')).not.toHaveCount(0);
    await shot(page, '36-dashboard-messages');
    shop.answer(200, 'success');
    await page.getByTestId(`notice-dead-${rule.id}`).click();
    await page.getByTestId('bulk-retry').click();
    await confirm(page);
    await expect(page.getByTestId('bulk-progress')).toContainText('已全部发出');
    await expect(page.getByTestId('empty')).toBeVisible();
    await page.getByTestId('choice-state-delivered').click();
    await expect(page.getByTestId('delivery').locator('tbody tr').nth(2)).toBeVisible();
    await shot(page, '37-deliveries');
    await page.getByTestId('delivery').locator('tbody tr').first().getByRole('link').first().click();
    await expect(page.getByTestId('delivery-detail').getByTestId('attempt').first()).toContainText('HTTP 200');
    await shot(page, '38-delivery');

    await send(page, 'DELETE', `/api/v1/forward-rules/${rule.id}`);
  } finally {
    await shop.close();
    await context.close();
  }
});

test('on a phone filters unfold, and everything fits', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  const fits = async () =>
    expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0);
  await new Admin(page).signIn();
  await page.goto('/admin/messages');
  await expect(page.getByTestId('message').locator('tbody tr').first()).toBeVisible();
  await fits();
  await shot(page, '39-phone-messages');
  await page.getByTestId('more-filters').click();
  await page.getByTestId('filter-span').selectOption('custom');
  await page.getByTestId('combo-kind').locator('input').click();
  await expect(page.getByTestId('option-event:weapp_audit_fail')).toBeVisible();
  await fits();
  await shot(page, '39-phone-filters');
  await page.keyboard.press('Escape');
  await page.getByTestId('clear-filters').click();
  await page.getByTestId('message').locator('tbody tr').first().getByRole('link').click();
  await expect(page.getByTestId('message-body')).toBeVisible();
  await fits();
  await shot(page, '39-phone-message');
  await page.goto('/admin/');
  await expect(page.getByTestId('rate-chart').locator('.chart__bar')).not.toHaveCount(0);
  await page.getByTestId('message-rate').scrollIntoViewIfNeeded();
  await fits();
  await shot(page, '39-phone-rate');
});
