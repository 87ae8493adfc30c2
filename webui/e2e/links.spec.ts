import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Browser, type BrowserContextOptions, expect, type Page, test } from '@playwright/test';
import { baseURL } from './environment';
import { Admin, confirm, field, send, shot } from './pages';
import { expectCode, read, square } from './qr';
import { startTarget, type Target } from './target';

const weChat =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 ' +
  'MicroMessenger/8.0.50(0x18003234) NetType/WIFI Language/zh_CN';

interface Device {
  name: string;
  options: BrowserContextOptions;
  button: string;
  page: RegExp;
}

const devices: Device[] = [
  {
    name: 'phone',
    options: {
      userAgent: weChat,
      viewport: { width: 390, height: 844 },
      deviceScaleFactor: 2,
      isMobile: true,
      hasTouch: true,
      locale: 'zh-CN',
    },
    button: '前往微信授权',
    page: /\/wxaopen\/safe\/bindcomponent\?.*no_scan=1/,
  },
  {
    name: 'desktop',
    options: { viewport: { width: 1280, height: 860 }, locale: 'zh-CN' },
    button: '打开微信授权页',
    page: /\/cgi-bin\/componentloginpage\?/,
  },
];

let business: Target;

test.beforeAll(async () => {
  business = await startTarget();
  business.answer(200, '绑定完成，欢迎回来。');
});

test.afterAll(async () => {
  await business.close();
});

/** newcomer is an account that nobody else in these tests knows. */
async function newcomer(page: Page, name: string): Promise<string> {
  const appid = `wx${randomBytes(8).toString('hex')}`;
  await send(page, 'POST', '/simulator/_control/merchants', { appid, nick_name: name });
  return appid;
}

async function allow(page: Page, origin: string): Promise<void> {
  await page.goto('/admin/platform');
  const list = field(page, 'allowlist');
  const before = await list.inputValue();
  if (before.split('\n').includes(origin)) return;
  await list.fill(`${before}\n${origin}`);
  const saved = page.waitForResponse((r) => r.url().endsWith('/api/v1/component') && r.request().method() === 'PUT');
  await page.getByTestId('save-account').click();
  expect((await saved).status()).toBe(200);
}

/** agree is what the merchant does on WeChat's page. */
async function agree(page: Page, appid: string): Promise<void> {
  await page.locator('form#consent').waitFor();
  await page.locator(`form#consent input[name="appid"][value="${appid}"]`).check({ force: true });
  await page.locator('button#agree').click();
}

async function visitor(browser: Browser, device: Device) {
  const context = await browser.newContext(device.options);
  return { context, page: await context.newPage() };
}

async function fits(page: Page): Promise<void> {
  expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0);
}

for (const device of devices) {
  test(`a merchant on a ${device.name} goes from the link by consent and result back to the business`, async ({
    page,
    context,
    browser,
  }) => {
    const admin = new Admin(page);
    await admin.signIn();
    await allow(page, business.url);
    const appid = await newcomer(page, `链接测试店 ${device.name}`);
    const bizId = `e2e-${device.name}-${Date.now()}`;

    await admin.open('links');
    await page.getByTestId('new-link').click();
    await field(page, 'biz-id').fill(bizId);
    await page.locator('.disclosure').click();
    await field(page, 'appid').fill(appid);
    await field(page, 'return-url').fill('https://evil.example/steal');
    await expect(page.getByTestId('error-return-url')).toContainText('白名单');
    await expect(page.getByTestId('create-link')).toBeDisabled();
    await field(page, 'return-url').fill(`${business.url}/bound?shop=8#top`);
    await expect(page.getByTestId('error-return-url')).toBeHidden();
    await shot(page, `60-${device.name}-form`);
    await page.getByTestId('create-link').click();
    await expect(page.getByTestId('link-qr')).toBeVisible();
    const url = ((await page.getByTestId('link-url').textContent()) ?? '').trim();
    const id = url.split('/').at(-1) ?? '';

    // Another operator looks at the list; nobody reloads.
    const second = await context.newPage();
    await second.goto('/admin/links');
    const row = second.getByTestId(`link-${id}`);
    await expect(row.getByTestId('link-status-pending')).toBeVisible();
    await expect(second.getByTestId('live-live')).toBeVisible();

    const { context: theirs, page: merchant } = await visitor(browser, device);
    await merchant.goto(url);
    await expect(merchant.locator('#go')).toHaveText(device.button);
    await fits(merchant);
    await shot(merchant, `61-${device.name}-launch`);
    await expect(row.getByTestId('link-status-opened')).toBeVisible();
    await expect(admin.linkStatus('opened')).toBeVisible();
    if (device.name === 'desktop') await expectCode(merchant.locator('.scan img'), url);

    await merchant.locator('#go').click();
    await expect(merchant).toHaveURL(device.page);
    await fits(merchant);
    await shot(merchant, `62-${device.name}-consent`);
    await agree(merchant, appid);

    await merchant.waitForURL(`${business.url}/**`);
    const back = new URL(merchant.url());
    expect(back.pathname).toBe('/bound');
    expect(back.hash).toBe('#top');
    expect(Object.fromEntries(back.searchParams)).toEqual({
      shop: '8',
      link_id: id,
      status: 'authorized',
      biz_id: bizId,
      appid,
    });
    await expect(row.getByTestId('link-status-authorized')).toBeVisible();
    await expect(admin.linkStatus('authorized')).toBeVisible();
    await expect(page.getByTestId('link-merchant')).toContainText(appid);
    await shot(page, `63-${device.name}-operator`);

    // Once more from the history: the result, and from there to the business again.
    await merchant.goto(url);
    await expect(merchant.locator('h1')).toHaveText('这个链接已完成授权');
    await expect(merchant.locator('.facts')).toContainText(appid);
    await fits(merchant);
    await shot(merchant, `64-${device.name}-result`);
    await merchant.locator('#back').click();
    await merchant.waitForURL(`${business.url}/**`);
    expect(new URL(merchant.url()).searchParams.get('status')).toBe('authorized');
    await theirs.close();
    await second.close();
  });
}

test('a merchant that has another business id keeps it, and the operator is told', async ({ page, browser }) => {
  const admin = new Admin(page);
  await admin.signIn();
  const appid = await newcomer(page, '两个编号的店');
  const first = `e2e-first-${Date.now()}`;
  const next = `e2e-next-${Date.now()}`;
  const [device] = devices as [Device];
  for (const bizId of [first, next]) {
    const url = await admin.createLink(bizId);
    const { context, page: merchant } = await visitor(browser, device);
    await merchant.goto(url);
    await merchant.locator('#go').click();
    await agree(merchant, appid);
    await expect(merchant.locator('h1')).toHaveText('授权成功');
    await shot(merchant, bizId === first ? '65-result' : '66-result-again');
    await expect(admin.linkStatus('authorized')).toBeVisible();
    await context.close();
    if (bizId === first) {
      await expect(page.getByTestId('other-biz-ids')).toBeHidden();
      await page.keyboard.press('Escape');
    }
  }
  await expect(page.getByTestId('other-biz-ids')).toContainText(first);
  await shot(page, '67-other-biz-ids');
});

test('the codes on the screen, in the file and on the poster lead to the link', async ({ page, context }) => {
  const admin = new Admin(page);
  await admin.signIn();
  const url = await admin.createLink(`e2e-poster-${Date.now()}`);
  expect(url.startsWith(`${baseURL}/authorize/`)).toBe(true);
  await expectCode(page.getByTestId('link-qr'), url);

  const download = page.waitForEvent('download');
  await page.getByTestId('download-png').click();
  const file = await download;
  expect(file.suggestedFilename()).toMatch(/\.png$/);
  expect(read(await readFile(await file.path()))).toBe(url);

  const opened = context.waitForEvent('page');
  await page.getByTestId('open-poster').click();
  const poster = await opened;
  await expect(poster.locator('#code')).toBeVisible();
  await expect(poster.locator('h1')).toHaveText('微信扫码，完成授权');
  await expectCode(poster.locator('#code'), url);
  await shot(poster, '68-poster');

  // As it comes out of the printer: A4 at 96 dots an inch, the whole sheet.
  await poster.emulateMedia({ media: 'print' });
  await poster.setViewportSize({ width: 794, height: 1123 });
  await expect(poster.locator('#print')).toBeHidden();
  expect(read(await poster.screenshot({ fullPage: true }))).toBe(url);
  await shot(poster, '69-poster-print');
  await poster.close();

  // To look at the poster is not to open the link; revoking ends both.
  await expect(admin.linkStatus('pending')).toBeVisible();
  await page.getByTestId('revoke-link').click();
  await confirm(page);
  await expect(admin.linkStatus('revoked')).toBeVisible();
  await expect(page.getByTestId('link-qr')).toBeHidden();
});

test('every option of a link is told back, and newer kinds have names', async ({ page }) => {
  const admin = new Admin(page);
  await admin.signIn();
  await admin.open('links');
  await page.getByTestId('new-link').click();
  await field(page, 'biz-id').fill(`e2e-options-${Date.now()}`);
  await page.getByTestId('choice-link-kind-other').click();
  await page.getByTestId('choice-link-kind-number-8').click();
  await page.getByTestId('choice-ttl-own').click();
  await page.getByTestId('ttl-amount').fill('400');
  await page.getByTestId('choice-ttl-unit-days').click();
  await expect(page.getByTestId('error-ttl')).toBeVisible();
  await page.getByTestId('choice-ttl-unit-hours').click();
  await expect(page.getByTestId('error-ttl')).toBeHidden();
  await page.locator('.disclosure').click();
  await field(page, 'other-scopes').fill('18, 999');
  await page.getByTestId('create-link').click();
  const detail = page.getByTestId('link-detail');
  await expect(detail.getByTestId('link-qr')).toBeVisible();
  await expect(detail).toContainText('带货助手');
  await expect(detail).toContainText('小程序开发与数据分析');
  await expect(detail).toContainText('权限集 999');
  await shot(page, '70-options');
});

test('logo and colour of the platform reach the page of the merchant', async ({ page, browser }) => {
  const admin = new Admin(page);
  await admin.signIn();
  await page.goto('/admin/platform');
  const panel = page.getByTestId('platform-branding');
  await panel
    .getByTestId('file-logo')
    .setInputFiles({ name: 'logo.svg', mimeType: 'image/svg+xml', buffer: Buffer.from('<svg/>') });
  await expect(page.getByTestId('error-brand-logo')).toContainText('PNG');
  await panel
    .getByTestId('file-logo')
    .setInputFiles({ name: 'logo.png', mimeType: 'image/png', buffer: square(96, [200, 60, 20]) });
  await expect(page.getByTestId('preview-logo')).toBeVisible();
  await field(page, 'brand-color').fill('#ffe600'); // the picker is the first input
  await expect(page.getByTestId('preview-button')).toHaveCSS('background-color', 'rgb(255, 230, 0)');
  await expect(page.getByTestId('preview-button')).toHaveCSS('color', 'rgb(23, 33, 47)');
  await shot(page, '71-branding');
  await page.getByTestId('save-branding').click();
  await expect(page.getByTestId('save-branding')).toBeDisabled();

  const url = await admin.createLink(`e2e-brand-${Date.now()}`);
  const { context, page: merchant } = await visitor(browser, devices[0] as Device);
  await merchant.goto(url);
  await expect.poll(() => merchant.locator('img.logo').evaluate((i: HTMLImageElement) => i.naturalWidth)).toBe(96);
  await expect(merchant.locator('#go')).toHaveCSS('background-color', 'rgb(255, 230, 0)');
  await expect(merchant.locator('#go')).toHaveCSS('color', 'rgb(23, 33, 47)');
  await shot(merchant, '72-branded');
  await context.close();

  await page.goto('/admin/platform');
  await panel.getByText('移除').click();
  await panel.getByTestId('field-brand-color').locator('input').nth(1).fill('');
  await page.getByTestId('save-branding').click();
  await expect(page.getByTestId('save-branding')).toBeDisabled();
  await expect(page.getByTestId('preview-logo')).toBeHidden();
});
