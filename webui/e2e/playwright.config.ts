import { defineConfig } from '@playwright/test';
import { baseURL, browser, part } from './environment';

// Half of the time goes into these; they run beside the others on a program of their own: see both.sh.
const apart = ['1-tour.spec.ts', '9-every-page.spec.ts', 'forwarding.spec.ts', 'messages.spec.ts'];

export default defineConfig({
  testDir: '.',
  testMatch: part === 'apart' ? apart : '*.spec.ts',
  testIgnore: part === 'rest' ? apart : [],
  outputDir: `./results/${part}`,
  // The specs share one running program and the merchants in it.
  fullyParallel: false,
  workers: 1,
  timeout: 180_000,
  expect: { timeout: 30_000 },
  reporter: [['list'], ['html', { outputFolder: `./report/${part}`, open: 'never' }]],
  globalSetup: './program.ts',
  use: {
    baseURL,
    locale: 'zh-CN',
    viewport: { width: 1440, height: 900 },
    // Traces cost time: E2E_TRACE=1 keeps one of each test.
    trace: process.env.E2E_TRACE ? 'on' : 'off',
    screenshot: 'only-on-failure',
    // Movements take time, and a colour on its way to another is neither.
    contextOptions: { reducedMotion: 'reduce' },
    launchOptions: { executablePath: browser(), args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] },
  },
});
