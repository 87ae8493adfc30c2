import { type Browser, expect, type Page, test } from '@playwright/test';
import { Admin, confirm, field, Simulator, send, shot } from './pages';

interface Sim {
  merchants: { appid: string; note: string; authorized: boolean; live: { user_version: string } | null }[];
}

interface Item {
  id: string;
  appid: string;
  state: string;
  user_version: string;
}

const privacy = {
  owner_setting: { contact_email: 'ops@example.com', notice_method: '弹窗' },
  setting_list: ['UserInfo', 'PhoneNumber', 'Address', 'Location', 'DeviceInfo'].map((privacy_key) => ({
    privacy_key,
    privacy_text: '为顾客提供服务',
  })),
};

const control = (page: Page, method: string, path: string, body?: unknown) =>
  send(page, method, `/simulator/_control/${path}`, body);

/** shops makes merchants who have authorized, each with a version online that one can go back to. */
async function shops(page: Page, n: number): Promise<string[]> {
  const base = Date.now().toString(16).padStart(14, '0').slice(-14);
  const appids = Array.from({ length: n }, (_, i) => `wx${base}${i.toString(16).padStart(2, '0')}`);
  for (const [i, appid] of appids.entries()) {
    await control(page, 'POST', 'merchants', {
      appid,
      nick_name: `连锁店 ${String(i + 1).padStart(2, '0')}`,
      principal: '连锁餐饮有限公司',
      signature: '每日现做，扫码点餐',
      kind: 'miniprogram',
      categories: [{ first_class: '餐饮服务', second_class: '点餐平台', first_id: 220, second_id: 223, status: 3 }],
    });
    await control(page, 'POST', `merchants/${appid}/live`, {
      user_version: '0.9.0',
      user_desc: '旧版本',
      pages: ['pages/index/index'],
    });
    await control(page, 'POST', `merchants/${appid}/authorize`, { order: 'event' });
  }
  await expect
    .poll(
      async () => {
        const list = (await send(page, 'GET', '/api/v1/authorizers?q=连锁店&limit=200')) as { items: Item[] };
        return appids.filter((id) => list.items.some((a) => a.appid === id)).length;
      },
      { timeout: 60_000 },
    )
    .toBe(n);
  return appids;
}

async function submissions(page: Page, rollout: string): Promise<Item[]> {
  const list = (await send(page, 'GET', `/api/v1/submissions?rollout_id=${rollout}&limit=200`)) as { items: Item[] };
  return list.items;
}

/** untilAll waits until each of the merchants is in one of the states. */
async function untilAll(page: Page, rollout: string, appids: string[], states: string[]): Promise<void> {
  await expect
    .poll(
      async () =>
        (await submissions(page, rollout))
          .filter((s) => appids.includes(s.appid) && !states.includes(s.state))
          .map((s) => `${s.appid} ${s.state}`),
      { timeout: 120_000, intervals: [1000] },
    )
    .toEqual([]);
}

async function secondOperator(browser: Browser, rollout: string): Promise<Admin> {
  const context = await browser.newContext();
  const other = new Admin(await context.newPage());
  await other.signIn();
  await other.page.goto(`/admin/rollouts/${rollout}`);
  await expect(other.page.getByTestId('rollout-summary')).toBeVisible();
  await expect(other.page.getByTestId('live-live')).toBeVisible();
  // Gone with the first reload.
  await other.page.evaluate(() => {
    document.documentElement.dataset.opened = 'once';
  });
  return other;
}

test('a blocked canary says who waits for it, and the others go on with it or without it', async ({ page }) => {
  test.setTimeout(180_000);
  const admin = new Admin(page);
  await admin.signIn();
  const appids = await shops(page, 6);
  const [mended = '', left = '', ...others] = appids;
  for (const appid of [mended, left]) await control(page, 'PATCH', `merchants/${appid}`, { categories: [] });
  const rollout = (await send(page, 'POST', '/api/v1/rollouts', {
    name: '两家先行',
    template_id: 0,
    user_version: '3.1.0',
    targets: { appids },
    privacy,
    strategy: { canary: 2 },
  })) as { id: string };
  await page.goto(`/admin/rollouts/${rollout.id}`);
  const hold = page.getByTestId('canary-hold');
  await expect(hold).toContainText('2', { timeout: 60_000 });
  await expect(hold.getByTestId(`canary-${mended}`)).toBeVisible();
  await expect(hold.getByTestId(`canary-${left}`)).toBeVisible();
  await shot(page, '66-canary-held');
  await page.setViewportSize({ width: 390, height: 844 });
  await shot(page, '67-canary-held-phone');
  await page.setViewportSize({ width: 1440, height: 900 });

  await control(page, 'PATCH', `merchants/${mended}`, {
    categories: [{ first_class: '餐饮服务', second_class: '点餐平台', first_id: 220, second_id: 223, status: 3 }],
  });
  await page.getByTestId('canary-retry').click();
  await confirm(page);
  await untilAll(page, rollout.id, [mended], ['auditing']);
  await expect(hold.getByTestId(`canary-${left}`)).toBeVisible();
  await expect(hold.getByTestId(`canary-${mended}`)).toHaveCount(0);
  await control(page, 'POST', `merchants/${mended}/approve`);
  await untilAll(page, rollout.id, [mended], ['released']);

  await page.getByTestId('canary-promote').click();
  await confirm(page);
  await expect(hold).toHaveCount(0);
  await untilAll(page, rollout.id, others, ['auditing']);

  // Canceled with its reviews, which else go on at WeChat.
  await expect(page.getByTestId('pick-auditing')).toContainText(`${others.length}`);
  await page.getByTestId('rollout-cancel').click();
  await page.getByTestId('cancel-withdraw').locator('label').click();
  await shot(page, '68-cancel-withdraw');
  await page.setViewportSize({ width: 390, height: 844 });
  await shot(page, '69-cancel-withdraw-phone');
  await page.setViewportSize({ width: 1440, height: 900 });
  await confirm(page);
  await untilAll(page, rollout.id, others, ['canceled']);
  const withdrawn = (await submissions(page, rollout.id)).find((s) => s.appid === others[0]);
  const { withdrawals } = (await send(page, 'GET', `/api/v1/submissions/${withdrawn?.id}`)) as {
    withdrawals: { today_left: number };
  };
  expect(withdrawals.today_left).toBe(4);
});

test('a retry of a rollout says whom it leaves out', async ({ page }) => {
  test.setTimeout(120_000);
  const admin = new Admin(page);
  await admin.signIn();
  const appids = await shops(page, 2);
  const [again = '', elsewhere = ''] = appids;
  const roll = async (user_version: string, targets: string[]) =>
    (await send(page, 'POST', '/api/v1/rollouts', {
      name: `重试 ${user_version}`,
      template_id: 0,
      user_version,
      targets: { appids: targets },
      privacy,
    })) as { id: string };
  for (const appid of appids) await control(page, 'PATCH', `merchants/${appid}`, { categories: [] });
  const older = await roll('3.2.0', appids);
  await untilAll(page, older.id, appids, ['blocked']);
  for (const appid of appids) {
    await control(page, 'PATCH', `merchants/${appid}`, {
      categories: [{ first_class: '餐饮服务', second_class: '点餐平台', first_id: 220, second_id: 223, status: 3 }],
    });
  }
  const newer = await roll('3.3.0', [elsewhere]);
  await untilAll(page, newer.id, [elsewhere], ['auditing']);
  await page.goto(`/admin/rollouts/${older.id}`);
  await page.getByTestId('rollout-retry-failed').click();
  await confirm(page);
  await expect(page.getByTestId('left-out')).toContainText('3.3.0');
  await shot(page, '66-left-out');
  await page.setViewportSize({ width: 390, height: 844 });
  await shot(page, '67-left-out-phone');
  await page.setViewportSize({ width: 1440, height: 900 });
  await untilAll(page, older.id, [again], ['auditing']);
  await page.getByTestId('left-out-close').click();
  await expect(page.getByTestId('left-out')).toHaveCount(0);
  for (const { id } of [older, newer]) await send(page, 'POST', `/api/v1/rollouts/${id}/cancel?withdraw=true`);
});

test('a rollout over 25 merchants meets a rejection, a block and a gray release, and is rolled back', async ({
  page,
  browser,
}) => {
  test.setTimeout(420_000);
  const admin = new Admin(page);
  await admin.signIn();
  const appids = await shops(page, 25);
  const [rejected = '', blocked = ''] = appids;
  // WeChat has no category of this one.
  await control(page, 'PATCH', `merchants/${blocked}`, { categories: [] });
  const rest = appids.filter((id) => id !== blocked);

  await admin.prepareRollout({
    name: '二十五家一起发',
    template: '0',
    appids,
    privacy: privacy.setting_list.map((s) => s.privacy_key),
  });
  await expect(page.getByTestId('preflight-ready')).toContainText('24');
  await expect(page.getByTestId('preflight-blocked')).toContainText('1');
  await admin.confirmStart();
  const rollout = page.url().split('/rollouts/')[1] ?? '';
  const other = await secondOperator(browser, rollout);
  await expect(page.getByTestId('list-total')).toContainText('25');
  await untilAll(page, rollout, rest, ['auditing']);
  await expect(other.page.getByTestId('pick-auditing')).toContainText('24', { timeout: 30_000 });
  await expect(other.page.getByTestId('pick-blocked')).toContainText('1');
  await shot(other.page, '60-board');

  // Found by a part of the appid; the bar above still counts all.
  await page.getByTestId('board-search').locator('input').fill(blocked.slice(2));
  await expect(page.getByTestId('list-total')).toContainText('1');
  await admin.expectState(blocked, 'blocked');
  await page.getByTestId('board-search').locator('input').fill('');
  await expect(page.getByTestId('list-total')).toContainText('25');

  // One is rejected with a picture, the others pass.
  await control(page, 'POST', `merchants/${rejected}/reject`, {
    reason: '1:小程序内容不符合规则:<br>(1):请补充测试账号。',
    screenshots: 1,
  });
  for (const appid of rest) if (appid !== rejected) await control(page, 'POST', `merchants/${appid}/approve`);
  await untilAll(page, rollout, rest, ['released', 'rejected']);
  await expect(other.page.getByTestId('pick-released')).toContainText('23', { timeout: 30_000 });

  // Mended on the audit desk.
  await admin.open('audits');
  await page.getByTestId('choice-desk-state-rejected').click();
  await page.getByTestId(`pick-${rejected}`).check();
  await expect(page.getByTestId('audit-reasons')).toContainText('请补充测试账号');
  await expect(page.getByTestId('desk-screenshot').first().locator('img')).toBeVisible();
  await shot(page, '61-desk');
  await page.getByTestId('many-resubmit').click();
  await field(page, 'version-desc').fill('测试账号 test，密码 123456');
  await shot(page, '62-mend');
  await page.getByTestId('resubmit-send').click();
  await expect(page.getByTestId('many-done')).toHaveText('1');
  await page.getByTestId('many-close').click();
  await untilAll(page, rollout, [rejected], ['auditing']);
  await new Simulator(page).approve(rejected);
  await expect(other.page.getByTestId('pick-released')).toContainText('24', { timeout: 60_000 });
  await other.page.getByTestId('board-search').locator('input').fill(rejected);
  await other.expectState(rejected, 'released');

  // A second version goes to a tenth of the users of one merchant first, and on by hand.
  const [, , gray = ''] = appids;
  const second = (await send(page, 'POST', '/api/v1/rollouts', {
    name: '先给一成用户',
    template_id: 1,
    user_version: '1.8.2',
    targets: { appids: [gray] },
    privacy,
    release: { gray: [10], gray_interval: null },
  })) as { id: string };
  await page.goto(`/admin/rollouts/${second.id}`);
  await admin.expectState(gray, 'auditing');
  await control(page, 'POST', `merchants/${gray}/approve`);
  await expect(page.getByTestId('row-gray')).toContainText('10%', { timeout: 60_000 });
  await page.getByTestId(`pick-${gray}`).check();
  await shot(page, '63-gray');
  await page.getByTestId('many-release').click();
  await confirm(page);
  await expect(page.getByTestId('many-done')).toHaveText('1');
  await page.getByTestId('many-close').click();
  await admin.expectState(gray, 'released');

  // The whole first rollout is taken back: all but the one with a newer version.
  await page.goto(`/admin/rollouts/${rollout}`);
  await page.getByTestId('rollout-rollback').click();
  await page.getByTestId('rollback-check').click();
  await expect(page.getByTestId('rollback-ready')).toContainText('23', { timeout: 60_000 });
  await expect(page.getByTestId('rollback-blocked')).toContainText('1');
  await shot(page, '64-rollback');
  await page.getByTestId('rollback-start').click();
  await page.getByTestId('confirm-ok').click();
  await expect(page.getByTestId('of-rollout')).toBeVisible();
  await expect(page.getByTestId('rollout-state-completed')).toBeVisible({ timeout: 120_000 });
  await expect(page.getByTestId('pick-released')).toContainText('23');
  await shot(page, '65-rolled-back');
  const state = (await control(page, 'GET', 'state')) as Sim;
  const online = (appid: string) => state.merchants.find((m) => m.appid === appid)?.live?.user_version;
  expect(rest.filter((id) => id !== gray).map(online)).toEqual(Array(23).fill('0.9.0'));
  expect(online(gray)).toBe('1.8.2');

  // The other operator has seen all of it without a reload.
  expect(await other.page.evaluate(() => document.documentElement.dataset.opened)).toBe('once');
  await other.page.context().close();
});
