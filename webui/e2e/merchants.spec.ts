import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, type Page, test } from '@playwright/test';
import { Admin, confirm, field, heldBack, saved, send, shot } from './pages';

const control = '/simulator/_control';
const infoPath = '/cgi-bin/component/api_get_authorizer_info';

/** merchants have accounts of their own authorize the platform, and wait until they are on record. */
async function merchants(page: Page, names: string[]): Promise<string[]> {
  const appids: string[] = [];
  for (const nick_name of names) {
    const appid = `wx${randomBytes(8).toString('hex')}`;
    await send(page, 'POST', `${control}/merchants`, { appid, nick_name, signature: '只在测试里营业' });
    await send(page, 'POST', `${control}/merchants/${appid}/authorize`, {});
    appids.push(appid);
  }
  for (const appid of appids) {
    await expect
      .poll(async () => {
        const list = (await send(page, 'GET', `/api/v1/authorizers?q=${appid}`)) as { items: { nick_name: string }[] };
        return list.items[0]?.nick_name ?? '';
      })
      .not.toBe('');
  }
  return appids;
}

async function fits(page: Page): Promise<void> {
  expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0);
}

async function addTag(page: Page, name: string, tag: string): Promise<void> {
  await field(page, name).fill(tag);
  await field(page, name).press('Enter');
}

test('labels of many merchants, those that failed once more, and what is found as a file', async ({ page }) => {
  await new Admin(page).signIn();
  const run = `批量${randomBytes(2).toString('hex')}`;
  const [one = '', two = '', full = ''] = await merchants(page, [`${run}一店`, `${run}二店`, `${run}三店`]);
  const fifty = Array.from({ length: 50 }, (_, i) => `老标签${i}`);
  await send(page, 'PATCH', `/api/v1/authorizers/${full}`, { labels: fifty });

  await page.getByTestId('nav-authorizers').first().click();
  await page.getByTestId('search').locator('input').fill(`${run} `);
  await expect(page.getByTestId('list-total')).toContainText('3');
  await expect(page).toHaveURL(/q=/);
  await expect(page.getByTestId('search').locator('input')).toHaveValue(`${run} `); // more words may follow
  await page.getByTestId('pick-shown').check();
  await expect(page.getByTestId('picked')).toContainText('3');
  await shot(page, '60-directory');
  await page.getByTestId('change-labels').click();
  await addTag(page, 'add-labels', `${run}甲`);
  await shot(page, '61-bulk-labels');
  await page.getByTestId('bulk-run').click();
  await expect(page.getByTestId('bulk-changed')).toHaveText('2');
  await expect(page.getByTestId('bulk-failed')).toHaveText('1');
  await expect(page.getByTestId(`bulk-failure-${full}`)).toContainText('50');
  await shot(page, '62-bulk-partly');

  // What stood in the way is mended; only who failed is done again.
  await send(page, 'PATCH', `/api/v1/authorizers/${full}`, { labels: fifty.slice(1, 4) });
  await page.getByTestId('bulk-again').click();
  await expect(page.getByTestId('bulk-target')).toContainText('1');
  await page.getByTestId('bulk-run').click();
  await expect(page.getByTestId('bulk-changed')).toHaveText('1');
  await expect(page.getByTestId('bulk-failed')).toHaveText('0');
  await page.getByTestId('bulk-close').click();
  await expect(page.getByTestId('pick-bar')).toBeHidden();
  for (const appid of [one, two]) await expect(page.getByTestId(`authorizer-${appid}`)).toContainText(`${run}甲`);

  // By filter: all that are found, without picking them one by one.
  await page.getByTestId(`pick-${one}`).check();
  await page.getByTestId('change-labels').click();
  await page.getByTestId('choice-target-1').click();
  await addTag(page, 'remove-labels', `${run}甲`);
  await addTag(page, 'add-labels', `${run}乙`);
  await page.getByTestId('bulk-run').click();
  await expect(page.getByTestId('bulk-changed')).toHaveText('3');
  await page.getByTestId('bulk-close').click();

  // Labels are a filter, with how many merchants have each.
  await page.getByTestId('search').locator('input').fill('');
  await expect(page).not.toHaveURL(/q=/);
  await page.getByTestId('combo-label').locator('input').fill(`${run}乙`);
  await expect(page.getByTestId(`option-${run}乙`)).toContainText('3');
  await page.getByTestId(`option-${run}乙`).click();
  await expect(page.getByTestId('list-total')).toContainText('3');
  await page.reload();
  await expect(page.getByTestId('list-total')).toContainText('3');
  const download = page.waitForEvent('download');
  await page.getByTestId('export').click();
  const text = readFileSync(await (await download).path(), 'utf8');
  expect(text.startsWith('\ufeffappid,biz_id,labels,ext')).toBe(true);
  expect(text.trim().split('\n')).toHaveLength(4);
  for (const appid of [one, two, full]) expect(text).toContain(appid);
  await page.getByTestId('clear-filters').click();
  await expect(page).not.toHaveURL(/label=/);
});

test('a CSV is tried, imported, and what is wrong in it comes back by its lines', async ({ page }) => {
  await new Admin(page).signIn();
  const [one = '', two = ''] = await merchants(page, ['导入一店', '导入二店']);
  await page.goto('/admin/authorizers/import');
  await expect(page.getByTestId('import-check')).toBeDisabled();
  await shot(page, '63-import');

  const csv = [
    'appid,biz_id,labels,ext,备忘',
    `${one},shop-${one},导入;甲,"{""shop"":""1""}",x`,
    'wxnobody000000001,shop-0,,,',
    `${two},,导入,{坏的,`,
    `${two},shop-${two},导入,,`,
  ].join('\r\n');
  await page
    .getByTestId('import-input')
    .setInputFiles({ name: '商户.csv', mimeType: 'text/csv', buffer: Buffer.from(`\ufeff${csv}`) });
  await expect(page.getByTestId('import-chosen')).toContainText('商户.csv');
  await page.getByTestId('import-check').click();
  await expect(page.getByTestId('import-changed')).toHaveText('2');
  await expect(page.getByTestId('import-wrong')).toHaveText('2');
  await expect(page.getByTestId('import-steps')).toHaveAttribute('data-step', 'check');
  await expect(page.getByTestId('import-facts')).toContainText('备忘');
  await expect(page.getByTestId('import-error-3')).toContainText('wxnobody000000001');
  await expect(page.getByTestId('import-error-4')).toContainText('JSON');
  await shot(page, '64-import-dry-run');
  const untouched = (await send(page, 'GET', `/api/v1/authorizers/${one}`)) as { labels: string[] | null };
  expect(untouched.labels ?? []).toEqual([]);

  // Opened anew the page has no file any more; another one is not imported untried.
  await page.reload();
  await expect(page.getByTestId('import-confirm')).toHaveCount(0);
  await page
    .getByTestId('import-input')
    .setInputFiles({ name: '别的.csv', mimeType: 'text/csv', buffer: Buffer.from('appid,labels\n') });
  await expect(page.getByTestId('import-confirm')).toHaveCount(0);
  await page
    .getByTestId('import-input')
    .setInputFiles({ name: '商户.csv', mimeType: 'text/csv', buffer: Buffer.from(`\ufeff${csv}`) });
  await page.getByTestId('import-confirm').click();
  await expect(page.getByTestId('import-steps')).toHaveAttribute('data-step', 'result');
  await expect(page.getByTestId('import-state-completed')).toBeVisible();
  await expect(page.getByTestId('import-changed')).toHaveText('2');
  await shot(page, '65-import-done');
  const download = page.waitForEvent('download');
  await page.getByTestId('import-failed-rows').click();
  const failed = readFileSync(await (await download).path(), 'utf8');
  expect(failed).toContain('wxnobody000000001');
  expect(failed).toContain('{坏的');
  expect(failed).not.toContain(`shop-${one}`);

  // As Excel in China writes it: GB18030, here 门店 and 老客户.
  const bytes = (hex: string) => Buffer.from(hex, 'hex');
  const gbk = Buffer.concat([
    Buffer.from('appid,labels\r\n'),
    Buffer.from(`${one},`),
    bytes('c3c5b5ea'),
    Buffer.from(';'),
    bytes('c0cfbfcdbba7'),
    Buffer.from('\r\n'),
  ]);
  await page.getByTestId('import-another').click();
  await page.getByTestId('import-input').setInputFiles({ name: 'gbk.csv', mimeType: 'text/csv', buffer: gbk });
  await page.getByTestId('import-check').click();
  await expect(page.getByTestId('import-changed')).toHaveText('1');
  await expect(page.getByTestId('import-facts')).toContainText('GB18030');
  await page.getByTestId('import-confirm').click();
  await expect(page.getByTestId('import-steps')).toHaveAttribute('data-step', 'result');
  await expect(page.getByTestId('import-state-completed')).toBeVisible();
  await page.goto(`/admin/authorizers?q=${one}`);
  await expect(page.getByTestId(`authorizer-${one}`)).toContainText('老客户');
  await expect(page.getByTestId(`authorizer-${one}`)).toContainText(`shop-${one}`);

  // A file that is no such list is refused with what is missing.
  await page.getByTestId('import').click();
  await page
    .getByTestId('import-input')
    .setInputFiles({ name: 'x.csv', mimeType: 'text/csv', buffer: Buffer.from('name,labels\na,b\n') });
  await page.getByTestId('import-check').click();
  await expect(page.getByTestId('problem')).toContainText('appid');
});

test('a synchronization is followed live, and who could not be read is listed', async ({ page }) => {
  await new Admin(page).signIn();
  await merchants(page, ['同步一店', '同步二店']);
  await page.getByTestId('nav-authorizers').first().click();
  let lost = '';
  try {
    // Some calls are refused, all others are slow.
    await send(page, 'POST', `${control}/faults`, { path: infoPath, skip: 3, times: 2, mode: 'errcode', code: 61011 });
    await send(page, 'POST', `${control}/faults`, { path: infoPath, times: 1000, mode: 'slow', delay: '400ms' });
    await page.getByTestId('sync').click();
    await confirm(page);
    await expect(page.getByTestId('sync-line')).toHaveAttribute('data-state', 'running');
    await expect(page.getByTestId('sync-progress')).toContainText(/[1-9]\d* \/ \d+/);
    await shot(page, '66-sync-running');
    await expect(page.getByTestId('sync-line')).toHaveAttribute('data-state', 'completed', { timeout: 90_000 });
    await expect(page.getByTestId('sync-outcome')).toContainText('2 个读取失败');
    await page.getByTestId('sync-details').click();
    await expect(page.getByTestId('sync-failures').getByRole('link')).toHaveCount(2);
    lost = ((await page.getByTestId('sync-failures').getByRole('link').first().textContent()) ?? '').trim();
    await shot(page, '67-sync-failures');
    await page.keyboard.press('Escape');
  } finally {
    await send(page, 'DELETE', `${control}/faults`);
  }
  // The merchant is neither lost nor blank.
  await page.getByTestId('search').locator('input').fill(lost);
  await expect(page.getByTestId(`authorizer-${lost}`).locator('.merchant__name')).not.toHaveText('（未命名）');
  await expect(page.getByTestId(`authorizer-${lost}`).getByTestId('authorizer-status-authorized')).toBeVisible();
});

test('own data, notes and everything that happened to a merchant', async ({ page }) => {
  await new Admin(page).signIn();
  const [appid = ''] = await merchants(page, ['时间线咖啡馆']);
  await page.goto(`/admin/authorizers/${appid}`);
  await expect(page.getByTestId('merchant-account')).toContainText(appid);
  await expect(page.getByTestId('merchant-scopes')).toBeVisible();
  await shot(page, '68-merchant');

  // Tabs are reached by the keyboard and live in the address.
  await page.getByTestId('tab-overview').focus();
  await page.keyboard.press('ArrowRight');
  await expect(page.getByTestId('view-own')).toBeVisible();
  await expect(page).toHaveURL(/tab=own/);
  const text = page.getByTestId('json-text');
  await text.fill('{\n  "shop": "1",\n  "name": 老王\n}');
  await expect(page.getByTestId('json-mistake')).toContainText('第 3 行第 11 列');
  await expect(page.getByTestId('save-own')).toBeDisabled();
  await shot(page, '69-ext-mistake');
  await page.getByTestId('json-go').click();
  expect(await text.evaluate((area: HTMLTextAreaElement) => area.selectionStart)).toBe(27);
  await text.fill('{"shop":"1","name":"老王","tables":[1,2]}');
  await expect(page.getByTestId('json-valid')).toBeVisible();
  await page.getByTestId('json-format').click();
  await expect(text).toHaveValue(/\n {2}"name": "老王"/);
  await addTag(page, 'labels', '堂食');
  // What is added while it is being saved is not lost to the answer.
  await heldBack(
    page,
    () => page.getByTestId('save-own').click(),
    () => addTag(page, 'labels', '外卖'),
  );
  await expect(page.getByTestId('save-own')).toBeEnabled();
  await expect(page.getByTestId('own-conflict')).toHaveCount(0);
  // Somebody else saves while this is being edited: that is said, and nothing of it is lost.
  await send(page, 'PATCH', `/api/v1/authorizers/${appid}`, { ext: { shop: '2' } });
  await expect(page.getByTestId('own-conflict')).toBeVisible();
  await saved(page, () => page.getByTestId('save-own').click());
  await expect(page.getByTestId('save-own')).toBeDisabled();
  const now = (await send(page, 'GET', `/api/v1/authorizers/${appid}`)) as { labels: string[]; ext: object };
  expect(now).toMatchObject({ labels: ['堂食', '外卖'], ext: { shop: '2' } });
  await expect(text).toHaveValue(/"2"/);

  await page.getByTestId('tab-notes').click();
  await field(page, 'note').fill('合同到年底。\n对接人：小李');
  await heldBack(
    page,
    () => page.getByTestId('add-note').click(),
    () => field(page, 'note').fill('写错了'),
  );
  await expect(page.getByTestId('notes')).toContainText('对接人：小李');
  await page.getByTestId('add-note').click();
  const wrong = page.locator('[data-testid^="note-"]').filter({ hasText: '写错了' });
  await expect(wrong).toBeVisible();
  await shot(page, '70-notes');
  await wrong.locator('[data-testid^="delete-note-"]').click();
  await confirm(page);
  await expect(wrong).toHaveCount(0);

  await send(page, 'POST', `${control}/merchants/${appid}/message`, { fields: { MsgType: 'text', Content: '营业吗' } });
  await page.getByTestId('tab-messages').click();
  await expect(page.getByTestId('merchant-messages')).toContainText('文本消息');
  await shot(page, '71-merchant-messages');

  await page.getByTestId('tab-timeline').click();
  const kinds = () =>
    page.getByTestId('happening').evaluateAll((all) => all.map((li) => li.getAttribute('data-kind')).join(' '));
  await expect(page.getByTestId('timeline')).toContainText('对接人：小李');
  expect(await kinds()).toBe('deed note labels ext ext labels authorized');
  // What happens now appears by itself.
  await send(page, 'POST', `${control}/merchants/${appid}/revoke`);
  await expect(page.getByTestId('happening').first()).toHaveAttribute('data-kind', 'withdrawn');
  await expect(page.getByTestId('authorizer-status-unauthorized')).toBeVisible();
  await send(page, 'POST', `${control}/merchants/${appid}/authorize`, {});
  await expect(page.getByTestId('happening').first()).toHaveAttribute('data-kind', 'authorized');
  await shot(page, '72-timeline');
  await page.getByTestId('tab-releases').click();
  await expect(page.getByTestId('versions')).toBeVisible();
  await shot(page, '73-merchant-releases');
});

test('going back from one merchant to another takes no open form along', async ({ page }) => {
  await new Admin(page).signIn();
  const [one = '', two = ''] = await merchants(page, ['来去一店', '来去二店']);
  await page.goto(`/admin/authorizers/${one}?tab=releases`);
  await expect(page.getByTestId('edit-domains')).toBeVisible();
  await page.keyboard.press('Control+k');
  await page.getByTestId('palette-input').fill(two);
  await expect(page.getByTestId('palette-option').first()).toContainText('来去二店');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('page-title')).toHaveText('来去二店');
  await page.getByTestId('tab-releases').click();
  await page.getByTestId('edit-domains').click();
  await field(page, 'domains-request').fill('https://two.example.com');
  await page.goBack();
  await expect(page.getByTestId('page-title')).toHaveText('来去一店');
  await expect(page.getByTestId('edit-domains')).toBeVisible();
  await expect(page.getByTestId('save-domains')).toHaveCount(0);
});

test('the directory and a merchant on a phone, and in English', async ({ page }) => {
  await new Admin(page).signIn();
  const [appid = ''] = await merchants(page, ['手机上看的名字很长很长很长的小店（万象城旗舰店）']);
  await send(page, 'PATCH', `/api/v1/authorizers/${appid}`, {
    labels: ['一个相当长的标签名称', 'vip', '华东', '堂食', '外卖', '连锁'],
    biz_ids: ['shop-2026-0001'],
    ext: { shop: { id: '1', hours: ['10:00-22:00'] } },
  });
  await send(page, 'POST', `/api/v1/authorizers/${appid}/notes`, { text: '手机上写的备注' });
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto('/admin/authorizers');
  await expect(page.getByTestId(`authorizer-${appid}`)).toBeVisible();
  await fits(page);
  await shot(page, '74-phone-directory');
  await page.getByTestId('more-filters').click();
  await page.getByTestId(`pick-${appid}`).check();
  await fits(page);
  await shot(page, '75-phone-filters');
  await page.getByTestId('change-labels').click();
  await expect(page.getByTestId('bulk-labels')).toBeVisible();
  await fits(page);
  await shot(page, '76-phone-bulk');
  await page.keyboard.press('Escape');
  for (const tab of ['overview', 'own', 'notes', 'releases', 'messages', 'timeline']) {
    await page.goto(`/admin/authorizers/${appid}?tab=${tab}`);
    await expect(page.getByTestId(`view-${tab}`)).toBeVisible();
    await expect(page.getByTestId('loading')).toHaveCount(0);
    await fits(page);
    await shot(page, `77-phone-${tab}`);
  }
  await page.goto('/admin/authorizers/import');
  await fits(page);
  await shot(page, '78-phone-import');

  await page.setViewportSize({ width: 1440, height: 900 });
  await page.getByTestId('language').click();
  await expect(page.getByTestId('page-title')).toHaveText('Import data of merchants');
  await page.goto('/admin/authorizers');
  await expect(page.getByTestId('page-title')).toHaveText('Merchants');
  await shot(page, '79-en-directory');
  await page.goto(`/admin/authorizers/${appid}?tab=timeline`);
  await expect(page.getByTestId('happening').first()).toBeVisible();
  await shot(page, '79-en-timeline');
  await page.goto(`/admin/authorizers/${appid}?tab=own`);
  await expect(page.getByTestId('json-valid')).toHaveText('A valid JSON object');
  await shot(page, '79-en-own');
});
