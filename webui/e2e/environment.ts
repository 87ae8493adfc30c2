import { existsSync } from 'node:fs';

/** part is which half of the specs runs, apart or rest; all without one. See both.sh. */
export const part = process.env.E2E_PART ?? 'all';

const port = process.env.E2E_PORT ?? '18080';

/** baseURL is where the program under test listens. E2E_URL points at one that runs already, in simulation. */
export const baseURL = process.env.E2E_URL ?? `http://localhost:${port}`;
export const running = process.env.E2E_URL !== undefined;
export const listen = `127.0.0.1:${port}`;

export const username = process.env.E2E_USERNAME ?? 'admin';
export const password = process.env.E2E_PASSWORD ?? 'correct horse battery';

/** program is the built binary with the UI inside. */
export const program = process.env.E2E_PROGRAM ?? new URL('../../bin/wxsteward', import.meta.url).pathname;

/** shots is where the pictures of each station are kept. */
export const shots = new URL('./results/shots/', import.meta.url).pathname;

/** browser finds Chromium: CHROMIUM, else where Debian and others put it, else Playwright's own. */
export function browser(): string | undefined {
  const known = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  return process.env.CHROMIUM ?? known.find((path) => existsSync(path));
}
