import { expect, test } from '@playwright/test';
import { Admin, confirm, field, heldBack, readAllAgain, send, shot } from './pages';

test('nothing typed is lost on the way, and mistakes lead to their step', async ({ page }) => {
  const admin = new Admin(page);
  await admin.signIn();
  await admin.newRollout();
  await page.getByTestId('step-next').click();
  await expect(page.getByTestId('wizard-template')).toHaveAttribute('data-state', 'wrong');
  await page.locator('[data-testid^="template-option-"]').first().click();
  await page.getByTestId('step-next').click();
  await page.getByTestId('choice-targets-all').click();
  await expect(page.getByTestId('target-count')).toContainText(/[1-9]/);
  await expect(page.getByTestId('target-sample')).toBeVisible();
  await field(page, 'below-version').fill('0.0.1');
  await expect(page.getByTestId('target-count')).toContainText(' 0 ');
  await field(page, 'below-version').fill('');
  await admin.step('version');
  await field(page, 'name').fill('向导里的发布');
  await field(page, 'ext-json').fill('{"extAppid": "{{appid}}", "ext": {"theme": "autumn"}}');
  await expect(page.getByTestId('preview-text').or(page.getByTestId('preview-diff'))).toContainText('autumn');
  await shot(page, '31-wizard-preview');
  await admin.step('release');
  await field(page, 'canary').fill('x');
  await page.goBack();
  await expect(field(page, 'name')).toHaveValue('向导里的发布');

  await page.reload();
  await expect(page.getByTestId('draft-restored')).toBeVisible();
  await expect(field(page, 'name')).toHaveValue('向导里的发布');
  await expect(field(page, 'ext-json')).toHaveValue(/autumn/);

  await admin.step('check');
  await expect(page.getByTestId('preflight')).toBeDisabled();
  await page.getByTestId('form-wrong').locator('button').first().click();
  await expect(page.getByTestId('part-strategy')).toBeVisible();
  await expect(field(page, 'canary')).toBeFocused();
  await field(page, 'canary').fill('1');
  await admin.step('check');
  await expect(page.getByTestId('preflight')).toBeEnabled();

  // The list of steps works by keyboard, too.
  await page.getByTestId('wizard-audit').focus();
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('part-audit')).toBeVisible();

  // What was uploaded for the reviewers and the categories of a page are kept, too.
  const picture = Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
    'base64',
  );
  const upload = (name: string) =>
    page.getByTestId('file-preview').setInputFiles({ name, mimeType: 'image/png', buffer: picture });
  const media = page.getByTestId('media-preview');
  await upload('wrong.png');
  await expect(media).toContainText('wrong.png');
  // What is removed while the next one is on its way stays removed.
  await heldBack(
    page,
    () => upload('demo.png'),
    () => media.getByRole('button', { name: /wrong\.png/ }).click(),
  );
  await expect(media).toContainText('demo.png');
  await expect(media).not.toContainText('wrong.png');
  await page.getByTestId('more-audit').click();
  await page.getByTestId('add-audit-page').click();
  await page.getByTestId('combo-audit-category-0').locator('input').click();
  await page.getByTestId('combo-audit-category-0').getByRole('option').first().click();
  await page.reload();
  await expect(media).toContainText('demo.png');
  await expect(page.getByTestId('combo-audit-category-0').locator('input')).toHaveValue(/ \/ /);

  // What only the server finds wrong leads to its step as well.
  await admin.step('version');
  await field(page, 'user-version').fill('9'.repeat(80));
  await admin.step('check');
  await page.getByTestId('preflight').click();
  await expect(page.getByTestId('wizard-version')).toHaveAttribute('data-state', 'wrong');
  await page.getByTestId('form-wrong').locator('button').first().click();
  await expect(page.getByTestId('error-user-version')).toBeVisible();
});

test('settings are saved for next time, and missing domains are added to the platform from the check', async ({
  page,
}) => {
  const admin = new Admin(page);
  await admin.signIn();
  await admin.newRollout();
  await page.locator('[data-testid^="template-option-"]').first().click();
  await admin.step('targets');
  await page.getByTestId('choice-targets-all').click();
  await admin.step('version');
  await field(page, 'name').fill('缺少域名的发布');
  await admin.step('settings');
  await page.getByTestId('set-domains').locator('label').click();
  const host = `late-${Date.now()}.example.com`;
  await field(page, 'domain-request').fill(`https://${host}`);
  await page.getByTestId('save-profile-domains').click();
  await page.getByTestId('field-profile-name-domains').locator('input').fill(host);
  await page.getByTestId('keep-profile-domains').click();
  await expect(page.getByTestId('field-profile-name-domains')).toBeHidden();
  await field(page, 'domain-request').fill('');
  await page.getByTestId('combo-profile-domains').locator('input').click();
  await page.getByTestId('combo-profile-domains').getByText(host).click();
  await expect(field(page, 'domain-request')).toHaveValue(`https://${host}`);

  await admin.preflight();
  await expect(page.getByTestId('code-domain_not_on_platform')).toBeVisible();
  await expect(page.getByTestId('lacking-server')).toContainText(host);
  await shot(page, '32-wizard-lacking');
  await page.getByTestId('add-domains-server').click();
  await confirm(page);
  await expect(page.getByTestId('code-domain_not_on_platform')).toBeHidden();
  await expect(page.getByTestId('lacking-server')).toBeHidden();
  await expect(page.getByTestId('preflight-result')).toHaveAttribute('data-state', 'done');
  await shot(page, '33-wizard-added');

  await page.goto('/admin/platform');
  await expect(field(page, 'domains-server')).toHaveValue(new RegExp(host));
  await expect(page.getByTestId('copies-same')).toBeVisible();

  // What somebody else adds is shown, and what is edited here is not saved over it.
  const path = '/api/v1/component/domains';
  const addUnseen = async (name: string) => {
    const { server, webview } = (await send(page, 'GET', path)) as { server: string[]; webview: string[] | null };
    await send(page, 'PUT', path, { server: [...server, name], webview: webview ?? [] });
  };
  const addElsewhere = async (name: string) => {
    await addUnseen(name);
    await readAllAgain(page);
  };
  await addElsewhere(`first-${host}`);
  await expect(field(page, 'domains-server')).toHaveValue(new RegExp(`first-${host}`));
  await expect(page.getByTestId('save-domains')).toBeDisabled();
  await field(page, 'domains-server').fill(host);
  await addElsewhere(`second-${host}`);
  await expect(page.getByTestId('platform-conflict')).toBeVisible();
  await expect(page.getByTestId('save-domains')).toBeDisabled();
  await shot(page, '36-platform-conflict');
  await page.setViewportSize({ width: 390, height: 844 });
  await page.getByTestId('platform-conflict').scrollIntoViewIfNeeded();
  await shot(page, '37-platform-conflict-phone');
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.getByTestId('platform-conflict').locator('button').click();
  await expect(field(page, 'domains-server')).toHaveValue(new RegExp(`second-${host}`));
  await expect(page.getByTestId('platform-conflict')).toHaveCount(0);

  // Nor where the question has been open since before.
  const edited = `${await field(page, 'domains-server').inputValue()}\nthird-${host}`;
  await field(page, 'domains-server').fill(edited);
  await page.getByTestId('save-domains').click();
  await addUnseen(`fourth-${host}`);
  await page.getByTestId('confirm-ok').click();
  await expect(page.getByTestId('confirm').getByTestId('problem')).toBeVisible();
  await shot(page, '36-platform-asked');
  await page.setViewportSize({ width: 390, height: 844 });
  await shot(page, '37-platform-asked-phone');
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.getByTestId('confirm-cancel').click();
  const kept = (await send(page, 'GET', path)) as { server: string[] };
  expect(kept.server).toContain(`fourth-${host}`);
  expect(kept.server).not.toContain(`third-${host}`);
  await page.getByTestId('platform-conflict').locator('button').click();
  await expect(field(page, 'domains-server')).toHaveValue(new RegExp(`fourth-${host}`));

  await page.getByTestId('get-confirm-file').click();
  const address = (await page.getByTestId('confirm-file').locator('a').getAttribute('href')) ?? '';
  expect((await page.request.get(address)).ok()).toBe(true);

  await page.goto('/admin/profiles');
  await page.getByTestId(`edit-profile-${host}`).click();
  await field(page, 'domain-download').fill('http://wrong.example.com');
  await expect(page.getByTestId('error-domain-download')).toBeVisible();
  await field(page, 'domain-download').fill('https://files.example.com');
  await page.getByTestId('save-profile').click();
  await expect(page.getByTestId('profile-form')).toBeHidden();
  await page.getByTestId(`delete-profile-${host}`).click();
  await confirm(page);
  await expect(page.getByTestId(`edit-profile-${host}`)).toBeHidden();
});

test('a template in use is deleted only by force, and old versions are found to be rolled out to', async ({ page }) => {
  const admin = new Admin(page);
  await admin.signIn();
  await admin.newRollout();
  await admin.step('version');
  await field(page, 'name').fill('写到一半的发布');
  await page.goto('/admin/templates');
  await expect(page.getByTestId('version-bars')).toBeVisible();
  await expect(page.getByTestId('template-limit')).toContainText('200');
  await page.locator('[data-testid^="version-bar-"]').last().click();
  await expect(page.locator('[data-testid^="live-merchant-"]').first()).toBeVisible();
  await shot(page, '34-live-merchants');
  await page.keyboard.press('Escape');

  await page.locator('[data-testid^="add-draft-"]').first().click();
  const before = await page.locator('[data-testid^="delete-template-"]').count();
  await confirm(page);
  await expect(page.locator('[data-testid^="delete-template-"]')).toHaveCount(before + 1);
  const id = (
    (await page.locator('[data-testid^="delete-template-"]').first().getAttribute('data-testid')) ?? ''
  ).replace('delete-template-', '');
  await page.getByTestId(`below-template-${id}`).click();
  await expect(page.getByTestId('choice-targets-all').locator('input')).toBeChecked();
  await expect(field(page, 'below-version')).not.toHaveValue('');

  // What was being written is still there; cleared, only what was asked for is left.
  await admin.step('version');
  await expect(field(page, 'name')).toHaveValue('写到一半的发布');
  await page.getByTestId('discard-draft').click();
  await confirm(page);
  await admin.step('version');
  await expect(field(page, 'name')).toHaveValue('');
  await admin.step('targets');
  await expect(field(page, 'below-version')).not.toHaveValue('');

  await send(page, 'POST', '/api/v1/rollouts', {
    name: '还在用的模板',
    template_id: Number(id),
    user_version: '9.9.9',
    targets: { all: true },
    start_at: '2099-01-01T00:00:00Z',
  });
  await page.goto('/admin/templates');
  await expect(page.getByTestId(`template-used-${id}`)).toBeVisible();
  await page.getByTestId(`delete-template-${id}`).click();
  await page.getByTestId('confirm-ok').click();
  await expect(page.getByTestId('confirm')).toContainText('还在用的模板');
  await shot(page, '35-template-in-use');
  await confirm(page);
  await expect(page.getByTestId(`delete-template-${id}`)).toBeHidden();
});

test('a rollout whose start was not answered is made once, however often it is started', async ({ page }) => {
  const admin = new Admin(page);
  await admin.signIn();
  await admin.newRollout();
  await page.locator('[data-testid^="template-option-"]').first().click();
  await admin.step('targets');
  await page.getByTestId('choice-targets-all').click();
  await admin.step('version');
  const name = `只发一次 ${Date.now()}`;
  await field(page, 'name').fill(name);
  await admin.step('release');
  await field(page, 'start-at').fill('2099-01-01T08:00');
  await admin.preflight();

  await page.route('**/api/v1/rollouts', async (route) => {
    if (route.request().method() !== 'POST') return route.fallback();
    await route.fetch();
    await route.abort();
  });
  await page.getByTestId('start-rollout').click();
  await page.getByTestId('confirm-ok').click();
  await expect(page.getByTestId('confirm').getByTestId('problem')).toBeVisible();
  await page.unroute('**/api/v1/rollouts');
  await page.getByTestId('confirm-cancel').click();
  await expect(page.getByTestId('confirm')).toBeHidden();
  await page.reload();
  await admin.confirmStart();
  const list = (await send(page, 'GET', `/api/v1/rollouts?q=${encodeURIComponent(name)}`)) as { items: object[] };
  expect(list.items).toHaveLength(1);
  await page.getByTestId('rollout-cancel').click();
  await confirm(page);
});
