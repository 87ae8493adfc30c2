import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Call {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface Target {
  url: string;
  calls: Call[];
  /** answer is what all further calls get. */
  answer(status: number, body?: string): void;
  close(): Promise<void>;
}

/** startTarget starts a server that stands for a business system or a group robot, and remembers every call. */
export async function startTarget(): Promise<Target> {
  const calls: Call[] = [];
  let status = 200;
  let text = 'ok';
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      calls.push({ method, path: url, headers, body: Buffer.concat(chunks) });
      response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    answer(code, body = '') {
      status = code;
      text = body;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** verified says whether a call bears a signature of Standard Webhooks made with the secret. */
export function verified(call: Call, secret: string): boolean {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const id = call.headers['webhook-id'];
  const at = call.headers['webhook-timestamp'];
  const want = createHmac('sha256', key).update(`${id}.${at}.`).update(call.body).digest();
  return String(call.headers['webhook-signature'])
    .split(' ')
    .some((part) => {
      const got = Buffer.from(part.replace(/^v1,/, ''), 'base64');
      return got.length === want.length && timingSafeEqual(got, want);
    });
}
