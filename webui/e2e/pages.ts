import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { expect, type Locator, type Page } from '@playwright/test';
import { password, shots, username } from './environment';

/** shot keeps a picture of the page as it is, for people to look at. */
export async function shot(page: Page, name: string): Promise<void> {
  mkdirSync(shots, { recursive: true });
  if (await page.locator('.t-drawer--open, .t-dialog__ctx').count()) await page.waitForTimeout(400); // they slide in
  await page.screenshot({ path: path.join(shots, `${name}.png`) });
}

/** field is the one input of a form field. */
export function field(scope: Page | Locator, name: string): Locator {
  return scope.getByTestId(`field-${name}`).locator('input, textarea').first();
}

/** confirm answers the question on the screen and waits until the deed is done. */
export async function confirm(page: Page): Promise<void> {
  await page.getByTestId('confirm-ok').click();
  await expect(page.getByTestId('confirm-ok')).toBeHidden();
}

/** send calls the program as the signed-in user of the page. */
export function send(page: Page, method: string, path: string, body?: unknown): Promise<unknown> {
  return page.evaluate(
    async ([method, path, body]) => {
      const csrf = document.cookie.match(/(?:^|; )csrf=([^;]*)/)?.[1] ?? '';
      const answer = await fetch(path, {
        method,
        headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': decodeURIComponent(csrf) },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return text === '' ? undefined : JSON.parse(text);
    },
    [method, path, body] as const,
  );
}

export class Admin {
  constructor(readonly page: Page) {}

  async signIn(): Promise<void> {
    await this.page.goto('/admin/');
    await field(this.page, 'username').fill(username);
    await field(this.page, 'password').fill(password);
    await this.page.getByTestId('sign-in-submit').click();
    await expect(this.page.getByTestId('nav-account')).toBeVisible();
    await expect(this.page.getByTestId('live-live')).toBeVisible();
  }

  async open(place: string): Promise<void> {
    await this.page.getByTestId(`nav-${place}`).first().click();
  }

  /** createLink leaves the new link's drawer open and returns its address. */
  async createLink(bizId: string): Promise<string> {
    await this.open('links');
    await this.page.getByTestId('new-link').click();
    await field(this.page, 'biz-id').fill(bizId);
    await this.page.getByTestId('create-link').click();
    await expect(this.page.getByTestId('link-qr')).toBeVisible();
    return ((await this.page.getByTestId('link-url').textContent()) ?? '').trim();
  }

  /** linkStatus is the tag in the open drawer. */
  linkStatus(status: string): Locator {
    return this.page.getByTestId('link-detail').getByTestId(`link-status-${status}`);
  }

  merchantRow(appid: string): Locator {
    return this.page.getByTestId(`authorizer-${appid}`);
  }

  /** newRollout opens the wizard with nothing filled in. */
  async newRollout(): Promise<void> {
    const { page } = this;
    await this.open('rollouts');
    await page.getByTestId('new-rollout').click();
    await expect(page.getByTestId('wizard-steps')).toBeVisible();
    if (!(await page.getByTestId('draft-restored').isVisible())) return;
    await page.getByTestId('discard-draft').click();
    await confirm(page);
    await expect(page.getByTestId('draft-restored')).toBeHidden();
  }

  /** step goes to a step of the wizard. */
  async step(name: 'template' | 'targets' | 'version' | 'settings' | 'audit' | 'release' | 'check'): Promise<void> {
    await this.page.getByTestId(`wizard-${name}`).click();
    await expect(this.page.getByTestId(`wizard-${name}`)).toHaveAttribute('aria-current', 'step');
  }

  /** preflight has everything checked and waits for the end of it. */
  async preflight(): Promise<void> {
    await this.step('check');
    await this.page.getByTestId('preflight').click();
    await expect(this.page.getByTestId('preflight-result')).toHaveAttribute('data-state', 'done', { timeout: 60_000 });
  }

  /** prepareRollout fills the form for chosen merchants and has it checked; confirmStart then starts it. */
  async prepareRollout(options: {
    name: string;
    template?: string;
    appids: string[];
    submit?: 'auto' | 'manual';
    release?: 'auto' | 'manual';
    ext?: string;
    /** privacy keys that the template's code needs a purpose for */
    privacy?: string[];
  }): Promise<void> {
    const { page } = this;
    await this.newRollout();
    const templates = page.locator('[data-testid^="template-option-"]');
    await (options.template ? page.getByTestId(`template-option-${options.template}`) : templates.first()).click();
    await this.step('targets');
    for (const appid of options.appids) {
      await page.getByTestId('merchant-search').locator('input').fill(appid);
      await page.getByTestId(`merchant-option-${appid}`).locator('label').click();
    }
    await this.step('version');
    await field(page, 'name').fill(options.name);
    if (options.ext) await field(page, 'ext-json').fill(options.ext);
    if (options.privacy) {
      await this.step('settings');
      await page.getByTestId('set-privacy').locator('label').click();
      await field(page, 'contact_email').fill('ops@example.com');
      await field(page, 'notice-method').fill('弹窗');
      for (const [i, key] of options.privacy.entries()) {
        await page.getByTestId('add-privacy').click();
        const row = page.getByTestId('privacy-rows').locator('.privacyrow').nth(i);
        await row.locator('input').nth(0).fill(key);
        await row.locator('input').nth(1).fill('为顾客提供服务');
      }
    }
    if (options.submit) {
      await this.step('audit');
      await page.getByTestId(`choice-submit-${options.submit}`).click();
    }
    if (options.release) {
      await this.step('release');
      await page.getByTestId(`choice-release-${options.release}`).click();
    }
    await this.preflight();
  }

  async confirmStart(): Promise<void> {
    await this.page.getByTestId('start-rollout').click();
    await confirm(this.page);
    await expect(this.page.getByTestId('rollout-summary')).toBeVisible();
  }

  submissionRow(appid: string): Locator {
    return this.page.getByTestId(`submission-${appid}`);
  }

  /** expectState waits until the list of the open rollout shows the merchant in a state, without reloading. */
  async expectState(appid: string, state: string): Promise<void> {
    await expect(this.submissionRow(appid).getByTestId(`state-${state}`)).toBeVisible({ timeout: 60_000 });
  }

  async openSubmission(appid: string): Promise<Locator> {
    await this.page.getByTestId(`open-submission-${appid}`).click();
    const detail = this.page.getByTestId('submission-detail');
    await expect(detail.getByTestId('steps')).toBeVisible();
    return detail;
  }
}

/** Simulator plays WeChat's side through the page that is there in simulation only. */
export class Simulator {
  constructor(readonly page: Page) {}

  async tab(name: 'merchants' | 'audits' | 'faults' | 'traffic'): Promise<void> {
    await this.page.getByTestId('nav-simulator').first().click();
    await this.page.getByTestId(`choice-tab-${name}`).click();
  }

  async approve(appid: string): Promise<void> {
    await this.tab('audits');
    await this.page.getByTestId(`sim-approve-${appid}`).click();
    await expect(this.page.getByTestId(`sim-audit-${appid}`)).toBeHidden();
  }

  async reject(appid: string, reason: string): Promise<void> {
    await this.tab('audits');
    await this.page.getByTestId(`sim-reject-${appid}`).click();
    await field(this.page, 'reject-reason').fill(reason);
    await this.page.getByTestId('reject-ok').click();
    await expect(this.page.getByTestId(`sim-audit-${appid}`)).toBeHidden();
  }

  /** message has a user of a merchant write to it. */
  async message(appid: string, content: string): Promise<void> {
    await send(this.page, 'POST', `/simulator/_control/merchants/${appid}/message`, {
      fields: { MsgType: 'text', Content: content },
    });
  }

  /** notAuthorized are merchants that have not authorized the platform yet. */
  async notAuthorized(): Promise<string[]> {
    await this.tab('merchants');
    const buttons = this.page.locator('[data-testid^="sim-authorize-"]');
    await expect(buttons.first()).toBeVisible();
    const ids = await buttons.evaluateAll((all) => all.map((b) => b.getAttribute('data-testid') ?? ''));
    return ids.map((id) => id.replace('sim-authorize-', ''));
  }
}

/** consent plays the merchant: opens the link, goes to WeChat's page, chooses the account and agrees. */
export async function consent(page: Page, url: string, appid: string): Promise<void> {
  await page.goto(url);
  await page.locator('#go').click();
  await page.locator('form#consent').waitFor();
  await page.locator(`form#consent input[name="appid"][value="${appid}"]`).check({ force: true });
  await page.locator('button#agree').click();
}

/** readAllAgain changes the language and back, upon which everything on the page is read again. */
export async function readAllAgain(page: Page): Promise<void> {
  for (const language of ['en', 'zh-CN']) {
    const read = page.waitForResponse((answer) => answer.url().endsWith('/api/v1/session'));
    await page.getByTestId('language').click();
    await read;
    await expect(page.locator('html')).toHaveAttribute('lang', language);
  }
}

/** saved does what sends a change, and waits until that is answered and the page knows. */
export async function saved(page: Page, act: () => Promise<void>) {
  const answer = page.waitForResponse((r) => r.url().includes('/api/v1/') && r.request().method() !== 'GET');
  await act();
  await answer;
  await expect(page.locator('button.t-is-loading')).toHaveCount(0);
}

/** heldBack does what sends a change, and goes on with meanwhile before the page gets the answer. */
export async function heldBack(page: Page, act: () => Promise<void>, meanwhile: () => Promise<void>) {
  const changes = (url: URL) => url.pathname.startsWith('/api/v1/');
  let release = () => {};
  const done = new Promise<void>((go) => {
    release = go;
  });
  await page.route(changes, async (route) => {
    if (route.request().method() === 'GET') return route.fallback();
    const response = await route.fetch();
    await done;
    await route.fulfill({ response });
  });
  await saved(page, async () => {
    await act();
    await meanwhile();
    release();
  });
  await page.unroute(changes);
}
