// Takes the draft that miniprogram-ci has just uploaded into a rollout and waits for its end. Needs Node.js 20, nothing else.
//
//   WXSTEWARD_URL=https://steward.example.com WXSTEWARD_KEY=wxs_… \
//   node rollout.mjs --version 2.3.0 --labels vip,beta --desc "Autumn menu"
//
// It exits 0 when every merchant is released, 1 when some ended otherwise (each is named with its reason), 2 when the
// rollout is paused and 3 when it could not be started. Run again with the same --once and options within 24 hours
// it finds the rollout it has made already, so a job that was cut off may simply be repeated.
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    version: { type: 'string' },
    desc: { type: 'string', default: '' },
    appids: { type: 'string', default: '' },
    labels: { type: 'string', default: '' },
    all: { type: 'boolean', default: false },
    spec: { type: 'string' }, // a file with more of the rollout's body
    once: { type: 'string' },
    wait: { type: 'string', default: 'released' }, // or auditing: WeChat's reviewers take hours
    pace: { type: 'string', default: '10' }, // seconds between looks
  },
});

const base = (process.env.WXSTEWARD_URL ?? '').replace(/\/$/, '');
const key = process.env.WXSTEWARD_KEY ?? '';

class Refused extends Error {}

/** Calls the API; a server that is away for a moment is asked again. */
async function call(method, path, body, once) {
  for (let attempt = 1; ; attempt++) {
    let response;
    try {
      response = await fetch(`${base}/api/v1${path}`, {
        method,
        headers: {
          Authorization: `Bearer ${key}`,
          ...(body && { 'Content-Type': 'application/json' }),
          ...(once && { 'Idempotency-Key': once }),
        },
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(90_000),
      });
    } catch (error) {
      if (attempt >= 5 || (method !== 'GET' && !once)) throw error;
    }
    if (response?.ok) return response.status === 204 ? null : response.json();
    if (response) {
      const problem = await response.json().catch(() => ({}));
      const again = response.status >= 500 || response.status === 429;
      if (!again || attempt >= 5 || (method !== 'GET' && !once)) {
        const faults = (problem.errors ?? []).map((e) => `\n  ${e.location}: ${e.message}`).join('');
        const hint = problem.wechat?.hint ? `\n  ${problem.wechat.hint} (${problem.wechat.errcode}, rid ${problem.wechat.rid})` : '';
        throw new Refused(`${method} ${path}: ${response.status} ${problem.detail ?? problem.title ?? ''}${faults}${hint}`);
      }
    }
    await pause(attempt * 2);
  }
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const list = (text) => text.split(',').map((s) => s.trim()).filter(Boolean);

/** The template of a version: one that is there, else the newest draft of that version, frozen. */
async function templateOf(version) {
  const { items: templates } = await call('GET', '/templates?limit=200');
  const { items: drafts } = await call('GET', '/template-drafts?limit=200');
  const newest = (all) => all.filter((x) => x.user_version === version).sort((a, b) => b.create_time.localeCompare(a.create_time))[0];
  const draft = newest(drafts);
  const template = newest(templates);
  if (template && (!draft || template.draft_id === draft.draft_id || template.create_time >= draft.create_time)) return template;
  if (!draft) throw new Refused(`Neither a draft nor a template of version ${version} is there. Has miniprogram-ci uploaded it with the appid of the development mini program bound to the platform?`);
  return call('POST', '/templates', { draft_id: draft.draft_id }, `${options.once}:template`);
}

const ends = ['released', 'rejected', 'withdrawn', 'blocked', 'failed', 'canceled', 'superseded'];
const beforeAudit = ['queued', 'preflight', 'domains', 'committing', 'detecting', 'privacy', 'trial', 'submitting'];

function far(rollout) {
  if (['completed', 'canceled'].includes(rollout.state)) return true;
  return options.wait === 'auditing' && beforeAudit.every((state) => !rollout.counts[state]);
}

async function main() {
  if (!base || !key || !options.version) throw new Refused('WXSTEWARD_URL, WXSTEWARD_KEY and --version are needed.');
  options.once ??= `${options.version}-${process.env.GITHUB_RUN_ID ?? Date.now()}`;
  const { readFile } = await import('node:fs/promises');
  const more = options.spec ? JSON.parse(await readFile(options.spec, 'utf8')) : {};
  const template = await templateOf(options.version);
  const body = {
    ...more,
    template_id: template.template_id,
    user_version: options.version,
    user_desc: options.desc || template.user_desc,
    targets: { appids: list(options.appids), labels: list(options.labels), all: options.all },
  };
  let rollout = await call('POST', '/rollouts', body, options.once);
  console.log(`rollout ${rollout.id}: version ${options.version} to ${rollout.total} merchants, ${base}/admin/rollouts/${rollout.id}`);
  for (let told = ''; !far(rollout); rollout = await call('GET', `/rollouts/${rollout.id}`)) {
    const now = `${rollout.state}: ${Object.entries(rollout.counts).map(([state, n]) => `${state} ${n}`).join(', ')}`;
    if (now !== told) console.log((told = now));
    if (rollout.state === 'paused') {
      console.error(`paused: ${rollout.pause_reason || 'by hand'}`);
      return 2;
    }
    await pause(Number(options.pace));
  }
  let bad = 0;
  for (const state of ends.slice(1)) {
    for (let cursor = '', first = true; first || cursor; first = false) {
      const page = await call('GET', `/submissions?rollout_id=${rollout.id}&state=${state}&limit=200&cursor=${encodeURIComponent(cursor)}`);
      cursor = page.next_cursor;
      for (const s of page.items) {
        bad++;
        console.error(`${s.appid} ${s.nick_name}: ${state} ${s.reason || s.error?.detail || ''}${s.error?.hint ? ` → ${s.error.hint}` : ''}`);
      }
    }
  }
  console.log(`${rollout.counts.released ?? 0} of ${rollout.total} released`);
  return bad ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Refused ? error.message : error);
  process.exitCode = 3;
}
