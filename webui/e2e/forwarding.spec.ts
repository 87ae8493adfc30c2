import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { expect, type Page, test } from '@playwright/test';
import { baseURL, shots } from './environment';
import { Admin, confirm, field, Simulator, send } from './pages';
import { startTarget, type Target, verified } from './target';

/** look keeps the whole page as people see it, on a desk and on a phone, in both languages. */
async function look(page: Page, name: string): Promise<void> {
  mkdirSync(shots, { recursive: true });
  for (const language of ['zh', 'en']) {
    for (const width of [1440, 390]) {
      await page.setViewportSize({ width, height: width > 400 ? 900 : 844 });
      await page.waitForTimeout(500); // drawers slide, charts grow
      const file = path.join(shots, `40-${name}-${language}-${width}.png`);
      await page.screenshot({ path: file, fullPage: true });
      expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(
        0,
      );
    }
    await page.setViewportSize({ width: 1440, height: 900 });
    // A drawer keeps the mouse away from the page behind it.
    await page.getByTestId('language').evaluate((button: HTMLElement) => button.click());
    await expect(page.locator('html')).toHaveAttribute('lang', language === 'zh' ? 'en' : 'zh-CN');
  }
}

/** goWithin goes to an address as a link does, without loading the page anew. */
const goWithin = (page: Page, to: string) =>
  page.evaluate((path) => {
    window.history.pushState(null, '', path);
    window.dispatchEvent(new PopStateEvent('popstate', { state: null }));
  }, to);

const merchantOf = (page: Page) =>
  send(page, 'GET', '/api/v1/authorizers?status=authorized&limit=1') as Promise<{
    items: { appid: string; nick_name: string }[];
  }>;

test.describe.configure({ mode: 'serial' });

let shop: Target;
let robot: Target;

test.beforeAll(async () => {
  shop = await startTarget();
  robot = await startTarget();
});

test.afterAll(async () => {
  await shop.close();
  await robot.close();
});

test('a notice channel is made, its secret shown once, and its test reaches the robot', async ({ page }) => {
  const admin = new Admin(page);
  await admin.signIn();
  await admin.open('notices');
  await page.getByTestId('new-channel').click();
  await field(page, 'channel-url').fill('https://oapi.dingtalk.com/robot/send?access_token=1');
  await expect(page.getByTestId('choice-kind-dingtalk').locator('input')).toBeChecked();
  await expect(page.getByTestId('field-channel-secret')).toBeVisible();
  await look(page, 'channel-form');
  await page.getByTestId('choice-kind-webhook').click();
  await field(page, 'channel-url').fill('nowhere');
  await field(page, 'channel-name').fill('运维值班');
  await page.getByTestId('save-channel').click();
  await expect(page.getByTestId('error-channel-url')).toBeVisible();
  await field(page, 'channel-url').fill(`${robot.url}/robot`);
  await page.getByTestId('save-channel').click();
  const secret = (await page.getByTestId('secret').textContent()) ?? '';
  expect(secret).toMatch(/^whsec_/);
  await page.getByTestId('secret-done').click();

  await page.getByTestId('test-channel').click();
  await expect(page.getByTestId('channel-test-ok')).toBeVisible();
  expect(robot.calls).toHaveLength(1);
  expect(verified(robot.calls[0] as never, secret)).toBe(true);
  await look(page, 'channel');
  robot.answer(500, 'the robot is asleep');
  await page.getByTestId('test-channel').click();
  await expect(page.getByTestId('channel-test-failed')).toBeVisible();
  await expect(page.getByTestId('channel-test')).toContainText('the robot is asleep');
  robot.answer(200, '{"errcode":0}');
});

test('a rule is made, its secret shown once, tested, delivers signed, fails into dead letters and sends them again', async ({
  page,
}) => {
  const admin = new Admin(page);
  await admin.signIn();
  const merchant = (await merchantOf(page)).items[0];
  if (!merchant) throw new Error('the simulation has no merchant');

  await admin.open('rules');
  await page.getByTestId('new-rule').click();
  await page.getByTestId('save-rule').click();
  await expect(page.getByTestId('error-rule-name')).toBeVisible();
  await field(page, 'rule-name').fill('商城消息');
  await field(page, 'event').fill('审核');
  await expect(page.getByTestId('option-weapp_audit_success')).toBeVisible();
  await look(page, 'rule-form-suggest');
  await page.keyboard.press('Escape');
  await field(page, 'event').fill('');
  await field(page, 'msg_type').click();
  await page.getByTestId('option-text').click();
  await page.getByTestId('choice-merchants-some').click();
  await page.getByTestId('merchant-search').locator('input').fill(merchant.appid);
  await page.getByTestId(`merchant-option-${merchant.appid}`).locator('label').click();
  await expect(page.getByTestId('chosen-appids')).toContainText(merchant.appid);
  await field(page, 'target').fill('http://$APPID$.example.com/');
  await expect(page.getByTestId('error-target')).toBeVisible();
  await field(page, 'target').fill('http://169.254.169.254/latest');
  await page.getByTestId('save-rule').click();
  await expect(page.getByTestId('error-target')).toContainText('169.254');
  await field(page, 'target').fill(`${shop.url}/wechat/$APPID$`);
  await expect(page.getByTestId('called-at')).toContainText(`/wechat/${merchant.appid}`);
  await look(page, 'rule-form');
  await page.getByTestId('save-rule').click();
  const secret = (await page.getByTestId('secret').textContent()) ?? '';
  expect(secret).toMatch(/^whsec_/);
  await look(page, 'rule-secret');
  await page.getByTestId('secret-done').click();
  const first = page.url();

  // Another rule, opened in the page that has just shown a secret, shows its own form.
  await expect(page.getByTestId('rule-state-on')).toBeVisible();
  await page.goBack();
  await field(page, 'rule-name').fill('另一条');
  await field(page, 'target').fill(`${shop.url}/other`);
  await page.getByTestId('save-rule').click();
  await expect(page.getByTestId('secret')).toBeVisible();
  await goWithin(page, `${new URL(first).pathname}/edit`);
  await expect(field(page, 'rule-name')).toHaveValue('商城消息');
  await expect(page.getByTestId('secret')).toHaveCount(0);
  const { items } = (await send(page, 'GET', '/api/v1/forward-rules')) as { items: { id: string; name: string }[] };
  const other = items.find((rule) => rule.name === '另一条');
  await send(page, 'DELETE', `/api/v1/forward-rules/${other?.id}`);
  await goWithin(page, new URL(first).pathname);

  // The test call, shown as it was sent.
  await expect(page.getByTestId('rule-state-on')).toBeVisible();
  shop.answer(202, '{"received":true}');
  await page.getByTestId('test-rule').click();
  await page.getByTestId('send-test').click();
  await expect(page.getByTestId('test-ok')).toBeVisible();
  await expect(page.getByTestId('test-answer')).toContainText('received');
  await expect(page.getByTestId('test-sent')).toContainText('Webhook-Signature: v1,');
  expect(shop.calls).toHaveLength(1);
  expect(verified(shop.calls[0] as never, secret)).toBe(true);
  await look(page, 'rule-test');
  await page.getByTestId('rule-test').getByTestId('close').click();

  // Real pushes are delivered, and the page follows by itself.
  const simulator = new Simulator(page);
  for (const n of [1, 2, 3]) await simulator.message(merchant.appid, `你好 ${n} 👋`);
  await expect.poll(() => shop.calls.length).toBe(4);
  const real = shop.calls.slice(1);
  for (const call of real) {
    expect(call.path).toBe(`/wechat/${merchant.appid}`);
    expect(verified(call, secret)).toBe(true);
    expect(JSON.parse(call.body.toString()).Content).toMatch(/^你好 [123] 👋$/);
  }
  await expect(page.getByTestId('figure-ok')).toContainText('3');
  await expect(page.getByTestId('figure-rate')).toContainText('100%');
  await expect(page.getByTestId('rule-chart').locator('.chart__bar')).not.toHaveCount(0);
  await expect(page.getByTestId('delivery-state-delivered')).toHaveCount(3);

  // A target that is down: tried again and again, then a dead letter, of which staff are told.
  shop.answer(503, '维护中');
  await simulator.message(merchant.appid, '没人接收');
  await expect(page.getByTestId('rule-state-failing')).toBeVisible();
  await expect(page.getByTestId('figure-dead')).toContainText('1', { timeout: 90_000 });
  await expect(page.getByTestId('delivery-state-dead')).toBeVisible();
  await expect
    .poll(() => robot.calls.some((c) => c.body.toString().includes('dead_letter')), { timeout: 60_000 })
    .toBe(true);
  await look(page, 'rule');
  await admin.open('rules');
  await expect(page.getByTestId('rule-dead').first()).toHaveText('1');
  await look(page, 'rules');
  await page.getByText('商城消息').first().click();

  shop.answer(200);
  await page.getByTestId('retry-dead').click();
  await confirm(page);
  await expect(page.getByTestId('figure-dead')).toContainText('0');
  await expect(page.getByTestId('delivery-state-delivered')).toHaveCount(4);
  await expect(page.getByTestId('rule-state-on')).toBeVisible();

  // A rotated secret: for a day both sign.
  await page.getByTestId('rotate-secret').click();
  await confirm(page);
  const rotated = (await page.getByTestId('secret').textContent()) ?? '';
  expect(rotated).not.toBe(secret);
  await page.getByTestId('rule-secret').getByTestId('secret-done').click();
  await expect(page.getByTestId('secret-overlap')).toBeVisible();
  const before = shop.calls.length;
  await simulator.message(merchant.appid, '两个签名');
  await expect.poll(() => shop.calls.length).toBe(before + 1);
  const both = shop.calls[before] as never;
  expect([verified(both, secret), verified(both, rotated)]).toEqual([true, true]);

  // Off and on, changed, and its deliveries on their own page.
  await page.getByTestId('disable-rule').click();
  await confirm(page);
  await expect(page.getByTestId('rule-state-off')).toBeVisible();
  await page.getByTestId('enable-rule').click();
  await expect(page.getByTestId('rule-state-on')).toBeVisible();
  await page.getByTestId('edit-rule').click();
  await field(page, 'rule-name').fill('商城消息（新）');
  await page.getByTestId('save-rule').click();
  await expect(page.getByTestId('page-title')).toHaveText('商城消息（新）');
  await page.getByTestId('all-deliveries').click();
  await expect(page).toHaveURL(/\/deliveries\?rule_id=\d+/);

  await page.goBack();
  await page.getByTestId('delete-rule').click();
  await confirm(page);
  await expect(page).toHaveURL(/\/forward-rules$/);
  await expect(page.getByText('商城消息（新）')).toHaveCount(0);
});

test('a rule that has paused by itself says why and is resumed', async ({ page }) => {
  const admin = new Admin(page);
  await admin.signIn();
  await send(page, 'POST', '/api/v1/forward-rules', { name: '停车缴费系统', channel: 'biz', target_url: shop.url });
  await admin.open('rules');
  // It takes an hour of failures; the answer is changed on its way.
  const since = new Date(Date.now() - 26 * 3_600_000).toISOString();
  const paused = { enabled: false, paused_at: since, failing_since: since, last_error: '目标拒绝连接' };
  let resumed = false;
  await page.route(/\/api\/v1\/forward-rules\/\d+$/, async (route) => {
    resumed ||= route.request().method() !== 'GET';
    if (resumed) return route.continue();
    const answer = await route.fetch();
    return route.fulfill({ response: answer, json: { ...(await answer.json()), ...paused } });
  });
  await page.getByText('停车缴费系统').first().click();
  await expect(page.getByTestId('rule-state-paused')).toBeVisible();
  await expect(page.getByTestId('rule-paused')).toContainText('目标拒绝连接');
  await look(page, 'rule-paused');
  await page.getByTestId('resume-rule').click();
  await expect(page.getByTestId('rule-state-on')).toBeVisible();

  await page.getByTestId('delete-rule').click();
  await confirm(page);
  await expect(page).toHaveURL(/\/forward-rules$/);
  await expect(page.getByText('停车缴费系统')).toHaveCount(0);
});

test('staff were told of the dead letter, and the page lists it', async ({ page }) => {
  const admin = new Admin(page);
  await admin.signIn();
  await admin.open('notices');
  await expect(page.getByTestId('notice-state-sent').first()).toBeVisible();
  await look(page, 'notices');
  await page.getByText('运维值班').first().click();
  await page.getByTestId('delete-channel').click();
  await confirm(page);
  await expect(page.getByTestId('new-channel')).toBeVisible();
  await expect(page.getByText('运维值班')).toHaveCount(0);
});

test('the proxy passes to the business system while it is on', async ({ page, request }) => {
  shop.answer(200, '商城首页');
  const admin = new Admin(page);
  await admin.signIn();
  await admin.open('proxy');
  await expect(page.getByTestId('proxy-off')).toBeVisible();
  expect((await request.get(`${baseURL}/goods/1`)).status()).toBe(404);
  await field(page, 'upstream').fill('127.0.0.1');
  await expect(page.getByTestId('error-upstream')).toBeVisible();
  await field(page, 'upstream').fill(baseURL);
  await page.getByTestId('check-proxy').click();
  await expect(page.getByTestId('error-upstream')).toBeVisible();
  await field(page, 'upstream').fill('http://127.0.0.1:9');
  await page.getByTestId('check-proxy').click();
  await expect(page.getByTestId('proxy-checked')).toContainText('没有应答');
  await field(page, 'upstream').fill(shop.url);
  await page.getByTestId('check-proxy').click();
  await expect(page.getByTestId('proxy-checked')).toContainText('HTTP 200');
  await page.getByTestId('save-proxy').click();
  await page.getByTestId('proxy-turn-on').click();
  await confirm(page);
  await expect(page.getByTestId('proxy-on')).toBeVisible();
  expect(await (await request.get(`${baseURL}/goods/1`)).text()).toBe('商城首页');
  expect(shop.calls.at(-1)?.path).toBe('/goods/1');
  await look(page, 'proxy');
  await page.getByTestId('proxy-turn-off').click();
  await confirm(page);
  await expect(page.getByTestId('proxy-off')).toBeVisible();
  expect((await request.get(`${baseURL}/goods/1`)).status()).toBe(404);
});

test('a token is handed out after a question, masked, copied, logged, and gone after a minute', async ({
  page,
  context,
}) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: baseURL });
  await page.clock.install();
  const admin = new Admin(page);
  await admin.signIn();
  await admin.open('tokens');
  await page.getByTestId('token-component-get').click();
  await page.getByTestId('confirm-cancel').click();
  await expect(page.getByTestId('token-component-held')).toHaveCount(0);
  await page.getByTestId('token-component-get').click();
  await confirm(page);
  await expect(page.getByTestId('token-component-value')).toContainText('••••');
  await expect(page.getByTestId('token-component-left')).toBeVisible();
  await page.getByTestId('token-component-copy').click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied.length).toBeGreaterThan(20);
  await page.getByTestId('token-component-show').click();
  await expect(page.getByTestId('token-component-value')).toHaveText(copied);

  const merchant = (await merchantOf(page)).items[0];
  await field(page, 'token-appid').fill(merchant?.appid ?? '');
  await page.getByTestId(`option-${merchant?.appid}`).click();
  await page.getByTestId('token-authorizer-get').click();
  await confirm(page);
  await expect(page.getByTestId('token-authorizer-held')).toBeVisible();
  await expect(page.getByTestId('token-audit').locator('tbody tr')).toHaveCount(2);
  await expect(page.getByTestId('token-audit')).toContainText(merchant?.appid ?? 'none');
  const log = (await send(page, 'GET', '/api/v1/audit-log?action=get-component-access-token')) as {
    items: { user: string; outcome: string }[];
  };
  expect(log.items[0]).toMatchObject({ user: 'admin', outcome: 'ok' });
  await look(page, 'tokens');

  expect(await page.content()).toContain(copied);
  await page.clock.fastForward(61_000);
  await expect(page.getByTestId('token-component-held')).toHaveCount(0);
  expect(await page.content()).not.toContain(copied);
});

test('the self-check tells what works and what to do', async ({ page }) => {
  const admin = new Admin(page);
  await admin.signIn();
  await admin.open('platform');
  await expect(page.getByTestId('ticket-health-ok')).toBeVisible();
  await page.getByTestId('run-check').click();
  await expect(page.getByTestId('check-summary')).toBeVisible();
  await expect(page.getByTestId('check-database')).toHaveAttribute('data-state', 'ok');
  await expect(page.getByTestId('check-callback_url')).toHaveAttribute('data-state', 'bad');
  await look(page, 'platform');

  // Addresses that WeChat refuses, and an old ticket, as the server tells them.
  await page.route('**/api/v1/component', async (route) => {
    const answer = await route.fetch();
    const body = await answer.json();
    const at = new Date(Date.now() - 3 * 3_600_000).toISOString();
    body.refused_addresses = [
      { address: '203.0.113.7', errcode: 61004, path: '/cgi-bin/component/api_component_token', at },
    ];
    body.ticket = { ...body.ticket, health: 'alarm', received_at: at, alarm_since: at };
    body.transport = 'openapi';
    await route.fulfill({ response: answer, json: body });
  });
  await page.reload();
  await expect(page.getByTestId('refused-address')).toHaveText('203.0.113.7');
  await expect(page.getByTestId('ticket-health-alarm')).toBeVisible();
  await expect(page.getByTestId('platform-whitelist')).toBeVisible();
  await look(page, 'platform-trouble');
  await page.unrouteAll({ behavior: 'wait' });
});
