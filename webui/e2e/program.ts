import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { baseURL, listen, password, program, running, username } from './environment';

const patience = 90_000;

async function ready(ended: () => string | null): Promise<void> {
  const until = Date.now() + patience;
  while (Date.now() < until) {
    const end = ended();
    if (end !== null) throw new Error(`the program ended before it was ready: ${end}`);
    try {
      const answer = await fetch(`${baseURL}/readyz`);
      if (answer.ok) return;
    } catch {
      // Not listening yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`${baseURL}/readyz was not ready within ${patience / 1000} s`);
}

/** The program is started once for all specs, in simulation, on an empty data folder; the returned function ends it. */
export default async function start(): Promise<() => Promise<void>> {
  if (running) return async () => {};
  if (!existsSync(program)) throw new Error(`${program} is missing; run "make build" first`);
  const data = mkdtempSync(path.join(tmpdir(), 'wxsteward-e2e-'));
  const output: string[] = [];
  let end: string | null = null;
  const child = spawn(program, ['simulate'], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      DATA_DIR: data,
      LISTEN_ADDR: listen,
      INNER_LISTEN_ADDR: 'off',
      PUBLIC_URL: baseURL,
      ADMIN_USERNAME: username,
      ADMIN_PASSWORD: password,
      DETECTION_POLL: '1s',
      AUDIT_POLL: '2s',
      // Business systems of the tests are on this machine, and what they refuse is given up within half a minute.
      ALLOW_PRIVATE_TARGETS: 'true',
      DELIVERY_RETRY_BASE: '1ms',
      LOG_FORMAT: 'text',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const keep = (chunk: Buffer) => {
    output.push(chunk.toString());
    if (output.length > 500) output.shift();
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const closed = new Promise<void>((resolve) => {
    child.on('close', (code, signal) => {
      end = `${signal ?? code}\n${output.join('')}`;
      resolve();
    });
  });
  const stop = async () => {
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await closed;
    clearTimeout(kill);
    rmSync(data, { recursive: true, force: true });
  };
  try {
    await ready(() => end);
  } catch (thrown) {
    await stop();
    throw thrown;
  }
  return stop;
}
