import { defineConfig } from '@playwright/test';
import { baseURL, browser } from './environment';

export default defineConfig({
  testDir: '.',
  outputDir: './results',
  // The specs share one running program and the merchants in it.
  fullyParallel: false,
  workers: 1,
  timeout: 180_000,
  expect: { timeout: 30_000 },
  reporter: [['list'], ['html', { outputFolder: './report', open: 'never' }]],
  globalSetup: './program.ts',
  use: {
    baseURL,
    locale: 'zh-CN',
    viewport: { width: 1440, height: 900 },
    trace: 'retain-on-failure',
    screenshot: 'only-on-failure',
    launchOptions: { executablePath: browser(), args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] },
  },
});
