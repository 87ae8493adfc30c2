import { type Browser, expect, type Page, test } from '@playwright/test';
import { password as adminPassword, baseURL } from './environment';
import { Admin, confirm, field, readAllAgain, saved, send, shot } from './pages';
import { codeAt } from './totp';

test.describe.configure({ mode: 'serial' });

async function fits(page: Page): Promise<void> {
  expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0);
}

/** another is a browser of somebody else. */
async function another(browser: Browser): Promise<Page> {
  return (await browser.newContext({ baseURL, locale: 'zh-CN' })).newPage();
}

async function enter(page: Page, name: string, password: string): Promise<void> {
  await page.goto('/admin/sign-in');
  await field(page, 'username').fill(name);
  await field(page, 'password').fill(password);
  await page.getByTestId('sign-in-submit').click();
}

async function enterCode(page: Page, code: string): Promise<void> {
  await field(page, 'code').fill(code);
  await page.getByTestId('sign-in-submit').click();
}

const signedIn = (page: Page) => expect(page.getByTestId('nav-account')).toBeVisible();

const name = `watcher-${Date.now()}`;
let password = '';
let secret = '';
let recovery: string[] = [];

test('a new user is made, and may only look', async ({ page, browser }) => {
  const admin = new Admin(page);
  await admin.signIn();
  await admin.open('users');
  await page.getByTestId('open-admin').click();
  await expect(page.getByTestId('last-admin')).toBeVisible();
  await expect(page.getByTestId('delete-user')).toHaveCount(0);
  await shot(page, '100-last-admin');
  await page.getByTestId('close').click();

  await page.getByTestId('new-user').click();
  await field(page, 'new-username').fill('.wrong');
  await expect(page.getByTestId('error-new-username')).toBeVisible();
  await field(page, 'new-username').fill(name);
  await page.getByTestId('choice-new-role-viewer').click();
  await page.getByTestId('make-password').click();
  await shot(page, '101-new-user');
  await page.getByTestId('create-user').click();
  password = ((await page.getByTestId('secret').textContent()) ?? '').trim();
  expect(password.length).toBeGreaterThanOrEqual(10);
  await shot(page, '102-handover');
  await page.getByTestId('secret-done').click();
  await expect(page.getByTestId(`user-${name}`)).toBeVisible();

  const guest = await another(browser);
  await enter(guest, name, password);
  await signedIn(guest);
  await expect(guest.getByTestId('read-only')).toBeVisible();
  for (const place of ['users', 'apiKeys', 'security', 'auditLog', 'system']) {
    await expect(guest.getByTestId(`nav-${place}`)).toHaveCount(0);
  }
  await guest.goto('/admin/users');
  await expect(guest.getByTestId('empty')).toBeVisible();
  await guest.context().close();
});

test('a second factor is set up, asked for at sign-in, and a recovery code stands for it once', async ({ browser }) => {
  const guest = await another(browser);
  await enter(guest, name, password);
  await guest.getByTestId('nav-account').click();
  await guest.getByTestId('totp-begin').click();
  await expect(guest.getByTestId('totp-qr')).toBeVisible();
  secret = ((await guest.getByTestId('totp-secret').textContent()) ?? '').trim();
  await shot(guest, '103-totp-setup');
  await field(guest, 'totp-code').fill('000000');
  await guest.getByTestId('totp-confirm-ok').click();
  await expect(guest.getByTestId('error-totp-code')).toBeVisible();
  await field(guest, 'totp-code').fill(codeAt(secret));
  await guest.getByTestId('totp-confirm-ok').click();
  await expect(guest.getByTestId('recovery-code')).toHaveCount(10);
  recovery = (await guest.getByTestId('recovery-code').allTextContents()).map((code) => code.trim());
  await shot(guest, '104-recovery-codes');
  await readAllAgain(guest);
  await expect(guest.getByTestId('recovery-code')).toHaveCount(10);
  await guest.getByTestId('codes-kept').click();
  await expect(guest.getByTestId('totp-on')).toBeVisible();
  await expect(guest.getByTestId('codes-left')).toHaveText('10');

  await guest.getByTestId('sign-out').click();
  await enter(guest, name, password);
  await expect(guest.getByTestId('field-code')).toBeVisible();
  await shot(guest, '105-code-asked');
  await enterCode(guest, '000000');
  await expect(guest.getByTestId('wrong-code')).toBeVisible();
  // The code that turned it on is used up; the app's next one is good.
  await enterCode(guest, codeAt(secret, 1));
  await signedIn(guest);

  await guest.goto('/admin/account');
  await guest.getByTestId('sign-out').click();
  await enter(guest, name, password);
  await enterCode(guest, recovery[0] ?? '');
  await signedIn(guest);
  await guest.goto('/admin/account');
  await expect(guest.getByTestId('codes-left')).toHaveText('9');
  await guest.getByTestId('sign-out').click();
  await enter(guest, name, password);
  await enterCode(guest, recovery[0] ?? '');
  await expect(guest.getByTestId('wrong-code')).toBeVisible();
  await guest.context().close();
});

test('an administrator ends a session, and takes the second factor away', async ({ page, browser }) => {
  const guest = await another(browser);
  await enter(guest, name, password);
  await enterCode(guest, recovery[1] ?? '');
  await signedIn(guest);

  const admin = new Admin(page);
  await admin.signIn();
  await admin.open('users');
  await page.getByTestId(`open-${name}`).click();
  const detail = page.getByTestId('user-detail');
  await expect(detail.locator('[data-testid^="end-session-"]')).not.toHaveCount(0);
  await shot(page, '106-user');
  await detail.getByTestId('end-sessions').click();
  await confirm(page);
  await expect(detail.locator('[data-testid^="end-session-"]')).toHaveCount(0);
  // The stream of events ends with the session, so this comes without touching the page.
  await expect(guest.getByTestId('session-expired')).toBeVisible({ timeout: 60_000 });

  await detail.getByTestId('take-totp').click();
  await confirm(page);
  await expect(detail.getByTestId('take-totp')).toHaveCount(0);
  await enter(guest, name, password);
  await signedIn(guest);
  await guest.context().close();
});

test('where a second factor is required, whoever lacks it is led to it and nowhere else', async ({ page, browser }) => {
  const admin = new Admin(page);
  await admin.signIn();
  const guest = await another(browser);
  await enter(guest, name, password);
  await signedIn(guest);

  await admin.open('security');
  await expect(page.getByTestId('totp-is-optional')).toBeVisible();
  await shot(page, '107-security');
  await page.getByTestId('toggle-require-totp').click();
  await confirm(page);

  // The administrator has none either.
  await expect(page.getByTestId('totp-required')).toBeVisible();
  await shot(page, '108-required');
  await guest.goto('/admin/rollouts');
  await expect(guest.getByTestId('totp-required')).toBeVisible();
  await expect(guest.getByTestId('nav')).toHaveCount(0);
  await guest.setViewportSize({ width: 390, height: 844 });
  await guest.getByTestId('totp-begin').click();
  await expect(guest.getByTestId('totp-qr')).toBeVisible();
  await fits(guest);
  await shot(guest, '109-phone-required');
  const own = ((await guest.getByTestId('totp-secret').textContent()) ?? '').trim();
  await field(guest, 'totp-code').fill(codeAt(own));
  await guest.getByTestId('totp-confirm-ok').click();
  await readAllAgain(guest);
  await expect(guest.getByTestId('recovery-code')).toHaveCount(10);
  await fits(guest);
  await guest.getByTestId('codes-kept').click();
  await expect(guest).toHaveURL(/\/admin\/rollouts$/);
  await expect(guest.getByTestId('page-title')).toBeVisible();
  await guest.context().close();

  // So that the other tests go on as before.
  await page.getByTestId('totp-begin').click();
  const adminSecret = ((await page.getByTestId('totp-secret').textContent()) ?? '').trim();
  await field(page, 'totp-code').fill(codeAt(adminSecret));
  await page.getByTestId('totp-confirm-ok').click();
  await page.getByTestId('codes-kept').click();
  await expect(page.getByTestId('totp-is-required')).toBeVisible();
  await page.getByTestId('toggle-require-totp').click();
  await confirm(page);
  await expect(page.getByTestId('totp-is-optional')).toBeVisible();
  await page.getByTestId('nav-account').click();
  await page.getByTestId('remove-totp').click();
  await field(page, 'totp-password').fill(adminPassword);
  await field(page, 'totp-code').fill(codeAt(adminSecret, 1));
  await page.getByTestId('totp-remove-ok').click();
  await expect(page.getByTestId('totp-off')).toBeVisible();
  await shot(page, '110-account');
});

test('an API key works until it is revoked, and the audit log tells it all', async ({ page, playwright }) => {
  const admin = new Admin(page);
  await admin.signIn();
  await admin.open('apiKeys');
  const keyName = `orders ${Date.now()}`;
  await page.getByTestId('new-key').click();
  await field(page, 'key-name').fill(keyName);
  await page.getByTestId('choice-key-role-viewer').click();
  await shot(page, '111-new-key');
  await page.getByTestId('create-key').click();
  const key = ((await page.getByTestId('secret').textContent()) ?? '').trim();
  expect(key).toMatch(/^wxs_/);
  await shot(page, '112-key');
  await page.getByTestId('secret-done').click();
  const row = page.getByRole('row').filter({ hasText: keyName });
  await expect(row.getByTestId('never-used')).toBeVisible();

  const program = await playwright.request.newContext({
    baseURL,
    extraHTTPHeaders: { Authorization: `Bearer ${key}` },
  });
  expect((await program.get('/api/v1/authorizers')).status()).toBe(200);
  expect((await program.post('/api/v1/authorizers/sync')).status()).toBe(403);
  // The list is read again by itself.
  await expect(row.getByTestId('never-used')).toHaveCount(0, { timeout: 60_000 });
  await row.getByTestId(`revoke-${keyName}`).click();
  await confirm(page);
  await expect(row).toHaveCount(0);
  expect((await program.get('/api/v1/authorizers')).status()).toBe(401);
  await program.dispose();

  await admin.open('auditLog');
  await page.getByTestId('search').locator('input').fill('orders');
  await expect(page.getByTestId('outcome-refused').first()).toBeVisible();
  await expect(page.locator('tbody')).toContainText(`key:${keyName}`);
  await expect(page.locator('tbody')).toContainText(`/${keyName}`); // its creation, by its name
  await shot(page, '113-audit-search');
  await page.goto('/admin/audit-log?action=delete-api-key');
  await page.locator('[data-testid^="open-"]').first().click();
  await expect(page.getByTestId('entry-detail')).toContainText('DELETE /api/v1/api-keys/');
  await shot(page, '114-audit-entry');
  await page.getByTestId('only-user').click();
  await expect(page).toHaveURL(/user=admin/);
  const file = page.waitForEvent('download');
  await page.getByTestId('export-audit').click();
  expect((await file).suggestedFilename()).toMatch(/\.csv$/);
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);
  await shot(page, '115-phone-audit');
});

test('the system page tells of processes, jobs and the database', async ({ page }) => {
  const admin = new Admin(page);
  await admin.signIn();
  await admin.open('system');
  await expect(page.getByTestId('check-migrations')).toHaveAttribute('data-ok', 'true');
  await expect(page.locator('[data-testid^="replica-"]')).toHaveCount(1);
  await shot(page, '116-system');
  await page.getByTestId('tab-jobs').click();
  await expect(page.getByTestId('job').or(page.getByTestId('empty'))).toBeVisible();
  await page.getByTestId('filter-job-state').selectOption('completed');
  await page.locator('[data-testid^="open-job-"]').first().click();
  await expect(page.getByTestId('job-detail').getByTestId('job-state-completed')).toBeVisible();
  await expect(page.getByTestId('job-retry')).toHaveCount(0);
  await shot(page, '117-job');
  await page.getByTestId('close').click();
  await page.getByTestId('tab-database').click();
  await expect(page.getByTestId('table-river_job')).toBeVisible();
  await shot(page, '118-database');
});

test('an environment is made and shared with a mini program, whose administrator confirms', async ({ page }) => {
  const admin = new Admin(page);
  await admin.signIn();
  await admin.open('cloudEnvs');
  const alias = `shop-${Date.now()}`;
  await page.getByTestId('new-env').click();
  await page.getByTestId('choice-env-kind-cloudrun').click();
  await expect(page.getByTestId('env-form').getByTestId('seen-in-use')).toBeVisible();
  await page.getByTestId('choice-env-kind-cloudbase').click();
  await expect(page.getByTestId('env-form').getByTestId('seen-in-use')).toHaveCount(0);
  await field(page, 'env-alias').fill(alias);
  await page.getByTestId('create-env').click();
  await expect(page.getByTestId('page-title')).toHaveText(alias);
  const env = page.url().split('/').at(-1) ?? '';

  await page.getByTestId('new-share').click();
  const options = page.locator('[data-testid^="merchant-option-"]');
  await expect(options.nth(1)).toBeVisible();
  const ids = await options.evaluateAll((all) => all.map((o) => o.getAttribute('data-testid') ?? ''));
  const [other = '', appid = ''] = ids.map((id) => id.replace('merchant-option-', ''));
  await options.first().locator('label').click();
  // Enter looks for another merchant; nothing is shared by it.
  const search = page.getByTestId('merchant-search').locator('input');
  await search.fill(appid);
  await search.press('Enter');
  await page.getByTestId('merchant-picker').getByRole('button', { name: '清空' }).click();
  await page.getByTestId(`merchant-option-${appid}`).locator('label').click();
  await page.getByTestId('share-env').click();
  await page.getByTestId(`open-share-${appid}`).click();
  await expect(page.getByTestId(`open-share-${other}`)).toHaveCount(0);
  const detail = page.getByTestId('share-detail');
  await expect(detail.getByTestId('share-qr')).toBeVisible();
  await shot(page, '119-share');
  await send(page, 'POST', `/simulator/_control/cloud-envs/${env}/confirm`, { appid });
  await page.getByTestId('close').click();
  await page.goBack(); // what was closed does not open again
  await expect(page).toHaveURL(new RegExp(`/cloud-envs/${env}$`));
  await page.getByTestId('check-shares').click();
  await page.getByTestId(`open-share-${appid}`).click();
  await expect(detail.getByTestId('share-state-confirmed')).toBeVisible();
  await expect(detail.getByTestId('push-form')).toBeVisible();
  await detail.getByTestId('push-form').locator('label').first().click();
  await field(detail, 'push-path').fill('wxcallback');
  await expect(detail.getByTestId('error-push-path')).toBeVisible();
  await expect(detail.getByTestId('save-push')).toBeDisabled();
  await field(detail, 'push-path').fill('/wxcallback/shop');
  await detail.getByTestId('choice-push-format-xml').click();
  await detail.getByTestId('save-push').click();
  await saved(page, () => confirm(page));
  await page.reload();
  await expect(field(detail, 'push-path')).toHaveValue('/wxcallback/shop');
  await expect(detail.getByTestId('choice-push-format-xml').locator('input')).toBeChecked();
  await shot(page, '120-shared');
  await page.getByTestId('close').click();

  // A new version gets a tenth of the calls, then all.
  const service = page.getByTestId('service-shop');
  await service.getByTestId('percent-shop-002').fill('10');
  await expect(service.getByTestId('percent-sum')).toContainText('110%');
  await expect(service.getByTestId('divide-shop')).toBeDisabled();
  await service.getByTestId('percent-shop-001').fill('90');
  await service.getByTestId('divide-shop').click();
  await shot(page, '123-traffic-asked');
  await saved(page, () => confirm(page));
  await page.reload();
  await expect(service.getByTestId('percent-shop-001')).toHaveValue('90');
  await expect(service.getByTestId('percent-shop-002')).toHaveValue('10');
  await expect(service.getByTestId('percent-shop-003')).toHaveText('0%'); // it was not built
  await service.scrollIntoViewIfNeeded();
  await shot(page, '124-services');

  await page.getByTestId('token-form').locator('label').first().click();
  await field(page, 'token-paths').fill('wxa/getwxacodeunlimit');
  await expect(page.getByTestId('error-token-paths')).toBeVisible();
  await field(page, 'token-paths').fill('/wxa/getwxacodeunlimit');
  await saved(page, () => page.getByTestId('save-token').click());
  await page.reload();
  await expect(field(page, 'token-paths')).toHaveValue('/wxa/getwxacodeunlimit');
  await shot(page, '121-env');
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);
  await shot(page, '122-phone-env');
});

test('a version of a Cloud Run service is released to all, and what WeChat has not confirmed is marked', async ({
  page,
}) => {
  const admin = new Admin(page);
  await admin.signIn();
  await admin.open('cloudEnvs');
  await page.getByTestId('new-env').click();
  await page.getByTestId('choice-env-kind-cloudrun').click();
  await field(page, 'env-alias').fill(`run-${Date.now()}`);
  await page.getByTestId('create-env').click();
  const services = page.getByTestId('cloud-services');
  await expect(services.getByTestId('not-confirmed')).toBeVisible();
  await expect(services.getByTestId('release-shop-003')).toHaveCount(0);
  await services.getByTestId('release-shop-002').click();
  await shot(page, '125-release-asked');
  await confirm(page);
  await expect(services.getByTestId('percent-shop-002')).toHaveText('100%');
  await expect(services.getByTestId('percent-shop-001')).toHaveText('0%');
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);
  await services.scrollIntoViewIfNeeded();
  await shot(page, '126-phone-services');
  await page.setViewportSize({ width: 1440, height: 900 });
  await shot(page, '127-run-env');
});

test('a job can be discarded and tried again', async ({ page }) => {
  const admin = new Admin(page);
  await admin.signIn();
  // WeChat's list fails, so that the synchronization is tried again with growing pauses.
  const list = '/cgi-bin/component/api_get_authorizer_list';
  await send(page, 'POST', '/simulator/_control/faults', { path: list, mode: 'http', times: 100 });
  await send(page, 'POST', '/api/v1/authorizers/sync');
  await admin.open('system');
  await page.getByTestId('tab-jobs').click();
  const row = page.getByRole('row').filter({ hasText: 'authorize_sync' });
  await page.getByTestId('filter-job-state').selectOption('retryable');
  await expect(row.getByTestId('job-state-retryable')).toBeVisible({ timeout: 60_000 });
  await row.locator('[data-testid^="discard-"]').click();
  await shot(page, '128-discard-asked');
  await confirm(page);
  await send(page, 'DELETE', '/simulator/_control/faults');

  await page.getByTestId('filter-job-state').selectOption('discarded');
  await row.locator('[data-testid^="open-job-"]').click();
  const detail = page.getByTestId('job-detail');
  await expect(detail.getByTestId('job-state-discarded')).toBeVisible();
  await detail.getByTestId('job-retry').click();
  await confirm(page);
  await expect(detail.getByTestId('job-state-discarded')).toHaveCount(0);
  await page.getByTestId('close').click();
  await page.getByTestId('filter-job-state').selectOption('completed');
  await expect(row.first()).toBeVisible({ timeout: 60_000 });
});
