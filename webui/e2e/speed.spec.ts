import { expect, test } from '@playwright/test';
import { Admin } from './pages';

// BenchmarkPages runs this on a rollout of 10,000 merchants (E2E_ROLLOUT) and an audit desk of 5,000.
const rollout = process.env.E2E_ROLLOUT ?? '';

for (const { name, path, row } of [
  { name: 'board', path: `/admin/rollouts/${rollout}`, row: 'submission-' },
  { name: 'audit desk', path: '/admin/audits', row: 'audit-wx' },
]) {
  test(`${name} of thousands can be worked with at once`, async ({ page }) => {
    test.skip(rollout === '', 'part of a benchmark');
    const admin = new Admin(page);
    await admin.signIn();
    const rows = page.locator(`tr[data-testid^="${row}"]`);
    const times: number[] = [];
    for (let i = 0; i < 5; i++) {
      const began = Date.now();
      await page.goto(path);
      await rows.first().locator('input.tick').check();
      await expect(page.getByTestId('pick-bar')).toBeVisible();
      times.push(Date.now() - began);
    }
    times.sort((a, b) => a - b);
    await page.getByTestId('pick-none').click();
    const last = Number(await page.locator('table[aria-rowcount]').getAttribute('aria-rowcount'));
    const began = Date.now();
    await expect(async () => {
      await page.keyboard.press('End');
      const index = Number(await rows.last().getAttribute('aria-rowindex', { timeout: 1000 }));
      expect(index).toBeGreaterThan(Math.max(last, 5000) - 30);
    }).toPass({ timeout: 60_000, intervals: [50] });
    const made = await rows.count();
    console.log(
      `${name}: usable after ${times.join(', ')} ms; its end after ${Date.now() - began} ms; ${made} rows are elements`,
    );
    expect(made).toBeLessThan(100);
  });
}
