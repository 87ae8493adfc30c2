import { randomBytes } from 'node:crypto';
import { expect, type Page, test } from '@playwright/test';
import { Admin, confirm, field, send, shot } from './pages';
import { expectCode, square } from './qr';

const control = '/simulator/_control';

/** merchant has an account of its own authorize the platform, and waits until it is on record. */
async function merchant(page: Page, traits: Record<string, unknown>): Promise<string> {
  const appid = `wx${randomBytes(8).toString('hex')}`;
  await send(page, 'POST', `${control}/merchants`, { appid, ...traits });
  await send(page, 'POST', `${control}/merchants/${appid}/authorize`, {});
  await expect
    .poll(async () => {
      try {
        const found = (await send(page, 'GET', `/api/v1/authorizers/${appid}`)) as { nick_name: string };
        return found.nick_name;
      } catch {
        return '';
      }
    })
    .not.toBe('');
  return appid;
}

async function openTab(page: Page, appid: string, tab: string): Promise<void> {
  await page.goto(`/admin/authorizers/${appid}`);
  await page.getByTestId(`tab-${tab}`).click();
}

async function fits(page: Page): Promise<void> {
  expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0);
}

test('testers, search, codes, filing and interfaces of a mini program', async ({ page }) => {
  await new Admin(page).signIn();
  const appid = await merchant(page, { nick_name: '运营测试小店', signature: '只在测试里营业' });
  await send(page, 'POST', `${control}/merchants/${appid}/live`, {
    user_version: '1.0.0',
    user_desc: '测试',
    pages: ['pages/index/index'],
  });
  await openTab(page, appid, 'operations');

  await expect(page.getByTestId('ops-testers').getByTestId('empty')).toBeVisible();
  await field(page, 'wechatid').fill('zhangsan_1990');
  await page.getByTestId('bind-tester').click();
  await expect(page.getByTestId('tester-zhangsan_1990')).toContainText('admin');

  await expect(page.getByTestId('search-on')).toBeVisible();
  await page.getByTestId('toggle-search').click();
  await confirm(page);
  await expect(page.getByTestId('search-off')).toBeVisible();
  await expect(page.getByTestId('icp-filed')).toBeVisible();

  const library = page.getByTestId('ops-library');
  await expect(library.getByTestId('library-now')).toContainText(/\d+\.\d+/);
  await field(page, 'library').fill('9.x');
  await expect(library.getByTestId('set-library')).toBeDisabled();
  await field(page, 'library').fill('2.32.3');
  await library.getByTestId('set-library').click();
  await confirm(page);
  await expect(library.getByTestId('library-now')).toContainText('2.32.3');
  await expect(page.getByTestId('ops-trial-name')).toBeHidden();

  // There is no trial version yet: WeChat says so, with what support asks for.
  const codes = page.getByTestId('ops-codes');
  await codes.getByTestId('draw-code').click();
  await expect(codes.getByTestId('problem-title')).toBeVisible();
  await expect(codes.getByTestId('errcode')).toBeVisible();
  await expect(codes.getByTestId('rid')).toBeVisible();
  await codes.getByTestId('choice-code-version-released').click();
  await codes.getByTestId('draw-code').click();
  await expect(codes.getByTestId('error-code-path')).toBeVisible();
  await field(codes, 'code-scene').fill('table=8');
  await codes.getByTestId('draw-code').click();
  const drawn = codes.getByTestId('drawn-code');
  await expect.poll(() => drawn.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBeGreaterThan(0);
  await shot(page, '80-operations');

  await page.getByTestId('apply-wx.getLocation').click();
  await page.getByTestId('apply-interface').click();
  await expect(page.getByTestId('error-apply-content')).toBeVisible();
  await field(page, 'apply-content').fill('顾客下单时选择最近的门店');
  await field(page, 'apply-urls').fill('https://example.com/why.html');
  await page.getByTestId('apply-interface').click();
  const location = page.getByTestId('interface-wx.getLocation');
  await expect(location.getByTestId('interface-applying')).toBeVisible();
  await send(page, 'POST', `${control}/merchants/${appid}/privacy-api`, { api_name: 'wx.getLocation', granted: true });
  await expect(location.getByTestId('interface-granted')).toBeVisible();

  await page.getByTestId('unbind-zhangsan_1990').click();
  await confirm(page);
  await expect(page.getByTestId('tester-zhangsan_1990')).toBeHidden();

  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);
  await shot(page, '81-phone-operations');
});

test('introduction, name, avatar and categories are changed through their reviews', async ({ page }) => {
  await new Admin(page).signIn();
  const appid = await merchant(page, { nick_name: '改名之前的店', signature: '旧的简介' });
  await openTab(page, appid, 'profile');
  const changes = page.getByTestId('profile-changes');

  await expect(page.getByTestId('profile-signature')).toContainText('旧的简介');
  await page.getByTestId('change-signature').click();
  await field(page, 'signature').fill('新的简介，四季营业');
  await page.getByTestId('submit-signature').click();
  await confirm(page);
  await expect(page.getByTestId('profile-signature')).toContainText('新的简介，四季营业');
  await expect(changes.getByTestId('change-state-effective')).toHaveCount(1);

  // WeChat refuses with a reason, then takes the next name.
  await page.getByTestId('change-nick_name').click();
  await field(page, 'nickname').fill('老王家常菜');
  await page.getByTestId('check-name').click();
  const form = page.getByTestId('nickname-form');
  await expect(form.getByTestId('problem-hint').or(form.getByTestId('problem-detail')).first()).toBeVisible();
  await expect(form.getByTestId('errcode')).toContainText('53013');
  await expect(form.getByTestId('rid')).toBeVisible();
  await shot(page, '82-name-taken');
  await field(page, 'nickname').fill('海边小医院');
  await page.getByTestId('check-name').click();
  await expect(page.getByTestId('name-proof')).toBeVisible();
  await field(page, 'nickname').fill('改名之后的店');
  await page.getByTestId('check-name').click();
  await expect(page.getByTestId('name-free')).toBeVisible();
  await page.getByTestId('submit-name').click();
  await confirm(page);
  await expect(changes.getByTestId('change-state-reviewing')).toBeVisible();
  await send(page, 'POST', `${control}/merchants/${appid}/nickname`, { passed: false, reason: '与他人商标相似' });
  await expect(changes.getByTestId('change-state-refused')).toBeVisible();
  await expect(changes).toContainText('与他人商标相似');
  await page.getByTestId('change-nick_name').click();
  await field(page, 'nickname').fill('最后改成的店');
  await page.getByTestId('submit-name').click();
  await confirm(page);
  await expect(changes.getByTestId('change-state-reviewing')).toBeVisible();
  await send(page, 'POST', `${control}/merchants/${appid}/nickname`, { passed: true });
  await expect(page.getByTestId('profile-nick_name')).toContainText('最后改成的店');
  await expect(page.getByTestId('page-title')).toHaveText('最后改成的店');

  await page.getByTestId('change-head_img').click();
  await page
    .getByTestId('file-avatar')
    .setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: square(300, [20, 120, 80]) });
  await expect(page.getByTestId('avatar-preview')).toBeVisible();
  await page.getByTestId('submit-avatar').click();
  await confirm(page);
  await expect(page.getByTestId('profile-head_img')).toContainText('1');

  // One category needs no proof, one does.
  await page.getByTestId('add-category').click();
  await page.getByTestId('combo-category').locator('input').fill('备忘录');
  await page.getByTestId('option-287/619').click();
  await page.getByTestId('submit-category').click();
  await confirm(page);
  await expect(page.getByTestId('category-287-619')).toBeVisible();
  await page.getByTestId('add-category').click();
  await page.getByTestId('combo-category').locator('input').fill('点餐');
  // Escape closes the list, not the drawer.
  await page.keyboard.press('Escape');
  await expect(page.getByTestId('option-220/222')).toBeHidden();
  await page.getByTestId('combo-category').locator('input').fill('点餐');
  await page.getByTestId('option-220/222').click();
  await expect(page.getByTestId('submit-category')).toBeDisabled();
  await page
    .getByTestId('file-proof-0')
    .setInputFiles({ name: 'licence.png', mimeType: 'image/png', buffer: square(200, [240, 240, 240]) });
  await expect(page.getByTestId('uploaded-proof-0')).toContainText('licence.png');
  await page.getByTestId('submit-category').click();
  await confirm(page);
  const dining = page.getByTestId('category-220-222');
  await expect(dining.getByTestId('category-reviewing')).toBeVisible();
  await send(page, 'POST', `${control}/merchants/${appid}/category`, { first: 220, second: 222, passed: true });
  await expect(dining.getByTestId('category-approved')).toBeVisible();
  await shot(page, '83-profile');
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);
  await shot(page, '84-phone-profile');
});

test('a missing permission set and a withdrawn authorization are explained', async ({ page }) => {
  await new Admin(page).signIn();
  const appid = await merchant(page, { nick_name: '没有勾选资料权限的店', scopes: [17, 18] });
  await openTab(page, appid, 'profile');
  await expect(page.getByTestId('lacking-basic')).toContainText('小程序基本信息管理 (30)');
  await expect(page.getByTestId('problem')).toHaveCount(0);
  await shot(page, '85-lacking');
  await send(page, 'POST', `${control}/merchants/${appid}/revoke`, {});
  await expect(page.getByTestId('withdrawn')).toBeVisible();
  await page.getByTestId('tab-operations').click();
  await expect(page.getByTestId('withdrawn')).toBeVisible();
  await expect(page.getByTestId('problem')).toHaveCount(0);
});

interface Task {
  task: string;
  fields: Record<string, string>;
}

test('a company is registered and becomes a merchant; a failed one is tried again', async ({ page }) => {
  const admin = new Admin(page);
  await admin.signIn();
  await admin.open('registrations');
  const company = `测试注册${Date.now()}有限公司`;
  const bizId = `e2e-registered-${Date.now()}`;
  const taskOf = async (name: string) =>
    ((await send(page, 'GET', `${control}/registrations`)) as Task[]).findLast((r) => r.fields.name === name)?.task ??
    '';
  const detail = page.getByTestId('registration-detail');

  await page.getByTestId('new-registration').click();
  await field(page, 'registration-biz_id').fill(bizId);
  await field(page, 'registration-name').fill(company);
  await field(page, 'registration-code').fill('9133');
  await expect(page.getByTestId('error-registration-code')).toBeVisible();
  await page.getByTestId('create-registration').click();
  await expect(page.getByTestId('error-registration-phone')).toBeVisible();
  await shot(page, '86-registration-form');
  await field(page, 'registration-code').fill('91330100MA2KABCD1X');
  await field(page, 'registration-phone').fill('13800000000');
  await page.getByTestId('create-registration').click();
  await confirm(page);

  await expect(detail.getByTestId('registration-state-waiting')).toBeVisible();
  await expect(detail.getByTestId('registration-left')).toContainText('23');
  const url = ((await detail.getByTestId('registration-url').textContent()) ?? '').trim();
  await expectCode(detail.getByTestId('registration-qr'), url);
  await shot(page, '87-registration-waiting');
  const confirmed = (await send(page, 'POST', `${control}/registrations/${await taskOf(company)}/confirm`, {})) as {
    appid: string;
  };
  await expect(detail.getByTestId('registration-state-completed')).toBeVisible();
  await shot(page, '88-registration-done');
  await detail.getByTestId('registration-merchant').click();
  await expect(page).toHaveURL(new RegExp(`/authorizers/${confirmed.appid}$`));
  await expect(page.locator('#content')).toContainText(bizId);

  // This one's owner has as many mini programs as allowed.
  const full = `名额已满${Date.now()}有限公司`;
  await admin.open('registrations');
  await page.getByTestId('new-registration').click();
  await field(page, 'registration-biz_id').fill(`${bizId}-2`);
  await field(page, 'registration-name').fill(full);
  await field(page, 'registration-code').fill('91330100MA2KABCD2Y');
  await field(page, 'registration-phone').fill('13800000000');
  await page.getByTestId('create-registration').click();
  await confirm(page);
  await expect(detail.getByTestId('registration-state-waiting')).toBeVisible();
  await send(page, 'POST', `${control}/registrations/${await taskOf(full)}/fail`, { status: 1001, result: 1001 });
  await expect(detail.getByTestId('registration-state-failed')).toBeVisible();
  await expect(detail.getByTestId('registration-detail-text')).toBeVisible();
  await shot(page, '89-registration-failed');
  await detail.getByTestId('registration-retry').click();
  await confirm(page);
  await expect(detail.getByTestId('registration-state-waiting')).toBeVisible();
  await detail.getByTestId('registration-cancel').click();
  await confirm(page);
  await expect(detail.getByTestId('registration-state-canceled')).toBeVisible();
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);
  await shot(page, '90-phone-registration');
});

/** visit plays the administrator at a computer: our page, WeChat's, and back. */
async function visit(page: Page, name: string): Promise<void> {
  const url = ((await page.getByTestId('registration-url').textContent()) ?? '').trim();
  await expectCode(page.getByTestId('registration-qr'), url);
  const computer = await page
    .context()
    .browser()
    ?.newContext({ viewport: { width: 1440, height: 900 }, locale: 'zh-CN' });
  if (!computer) throw new Error('no browser');
  const visitor = await computer.newPage();
  await visitor.goto(url);
  await expect(visitor.getByRole('heading', { level: 1 })).toBeVisible();
  await shot(visitor, `${name}-visit`);
  await visitor.setViewportSize({ width: 390, height: 844 });
  await fits(visitor);
  await shot(visitor, `${name}-phone-visit`);
  // Who cancels at WeChat can come back.
  await visitor.locator('#go').click();
  await visitor.locator('#cancel').click();
  await visitor.goto(url);
  await visitor.locator('#go').click();
  await shot(visitor, `${name}-wechat`);
  await visitor.locator('#agree').click();
  await expect(visitor.locator('main.notice.good')).toBeVisible();
  expect(visitor.url()).toBe(url);
  await shot(visitor, `${name}-phone-done`);
  await computer.close();
}

test('an official account gives its principal to a mini program, whose administrator is changed', async ({ page }) => {
  await new Admin(page).signIn();
  const bizId = `e2e-reuse-${Date.now()}`;
  const official = await merchant(page, { kind: 'official', nick_name: '麦香坊服务号', service_type: 2 });
  const detail = page.getByTestId('registration-detail');
  await page.goto(`/admin/authorizers/${official}`);
  await page.getByTestId('register-from').click();
  await expect(page.getByTestId('choice-registration-kind-official_account')).toBeVisible();
  await page.getByTestId('create-registration').click();
  await expect(page.getByTestId('error-registration-biz_id')).toBeVisible();
  await field(page, 'registration-biz_id').fill(bizId);
  await shot(page, '92-reuse-form');
  await page.getByTestId('create-registration').click();
  await confirm(page);
  await expect(detail.getByTestId('registration-state-waiting')).toBeVisible();
  await shot(page, '93-reuse-waiting');
  await visit(page, '94-reuse');
  await expect(detail.getByTestId('registration-state-completed')).toBeVisible();
  await shot(page, '95-reuse-done');
  await detail.getByTestId('registration-merchant').click();
  await expect(page.locator('#content')).toContainText(bizId);

  const appid = page.url().split('/').at(-1) ?? '';
  await openTab(page, appid, 'operations');
  await expect(page.getByTestId('admin-change-last')).toBeHidden();
  await page.getByTestId('change-admin').click();
  await confirm(page);
  await expect(detail.getByTestId('registration-state-waiting')).toBeVisible();
  await visit(page, '96-admin');
  await expect(detail.getByTestId('registration-state-completed')).toBeVisible();
  await openTab(page, appid, 'operations');
  await expect(page.getByTestId('admin-change-last')).toBeVisible();
  await shot(page, '97-admin-changed');
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);
  await page.getByTestId('ops-admin').scrollIntoViewIfNeeded();
  await shot(page, '98-phone-admin-changed');
  await page.goto('/admin/registrations?new=1&kind=official_account');
  await expect(page.getByTestId('registration-form')).toBeVisible();
  await fits(page);
  await shot(page, '99-phone-reuse-form');
});

test('a trial mini program gets another name', async ({ page }) => {
  await new Admin(page).signIn();
  const appid = await merchant(page, { nick_name: '老王的体验小程序', service_type: 12, register_type: 13 });
  await openTab(page, appid, 'operations');
  await field(page, 'trial-name').fill('王');
  await expect(page.getByTestId('rename-trial')).toBeDisabled();
  await field(page, 'trial-name').fill('老王面馆');
  await page.getByTestId('rename-trial').click();
  await expect(page.getByTestId('page-title')).toContainText('老王面馆');
});
