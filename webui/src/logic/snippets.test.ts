import { createHmac } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { snippets } from './snippets';

const secret = `whsec_${Buffer.from('a key of thirty-two bytes, made up').toString('base64')}`;
const code = snippets.find((s) => s.key === 'node')?.code ?? '';
const verify = new Function('require', 'process', `${code}\nreturn verify;`)(createRequire(import.meta.url), {
  env: { WEBHOOK_SECRET: secret },
}) as (body: Buffer, headers: Record<string, string>) => boolean;

function signed(body: string, at = Math.floor(Date.now() / 1000)) {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const signature = createHmac('sha256', key).update(`msg_1.${at}.${body}`).digest('base64');
  return { 'webhook-id': 'msg_1', 'webhook-timestamp': String(at), 'webhook-signature': `v1,${signature}` };
}

describe('the Node.js snippet', () => {
  const body = '<xml><Content><![CDATA[你好]]></Content></xml>';

  it('takes what is signed, also beside another signature', () => {
    const headers = signed(body);
    expect(verify(Buffer.from(body), headers)).toBe(true);
    const rotated = { ...headers, 'webhook-signature': `v1,AAAA ${headers['webhook-signature']}` };
    expect(verify(Buffer.from(body), rotated)).toBe(true);
  });

  it('refuses another body, another secret, an old call and a call without headers', () => {
    expect(verify(Buffer.from(`${body} `), signed(body))).toBe(false);
    expect(verify(Buffer.from(body), { ...signed(body), 'webhook-signature': 'v1,AAAA' })).toBe(false);
    expect(verify(Buffer.from(body), signed(body, Math.floor(Date.now() / 1000) - 600))).toBe(false);
    expect(verify(Buffer.from(body), {})).toBe(false);
  });
});

it('no snippet holds a secret, and every one reads it from the environment', () => {
  for (const { code } of snippets) {
    expect(code).toContain('WEBHOOK_SECRET');
    expect(code).not.toMatch(/whsec_[A-Za-z0-9+/]{8}/);
  }
});
