const test = require('node:test');
const assert = require('node:assert/strict');
const { createBackend, CallError } = require('../utils/backend');

const APPID = 'wx0000000000000001';
const CLOUD = { env: 'prod-1', service: 'wxsteward' };
const SERVER = 'https://wx.example.com/';

/** A wx with a server behind it: respond(call) answers both ways of calling, or throws what WeChat would. */
function stub({ respond = () => ({ statusCode: 200, data: {} }), cloud = true, initFails = 0, ext } = {}) {
  const storage = new Map();
  const log = { inits: 0, clouds: [], container: [], requests: [], logins: 0 };
  const answer = async (call) => {
    const out = respond(call, log);
    if (out instanceof Error || out.errMsg) throw out;
    return out;
  };
  const container = {
    init: async () => {
      log.inits += 1;
      if (log.inits <= initFails) throw new Error('init failed');
    },
    callContainer: (options) => {
      log.container.push(options);
      return answer({ ...options, way: 'cloud' });
    },
  };
  const wx = {
    login: ({ success }) => {
      log.logins += 1;
      setTimeout(() => success({ code: `code-${log.logins}` }), 1);
    },
    request: ({ success, fail, ...options }) => {
      log.requests.push(options);
      answer({ ...options, path: new URL(options.url).pathname, way: 'server' }).then(success, fail);
    },
    getStorageSync: (key) => storage.get(key) ?? '',
    setStorageSync: (key, value) => storage.set(key, value),
    removeStorageSync: (key) => storage.delete(key),
    getAccountInfoSync: () => ({ miniProgram: { appId: APPID } }),
    getExtConfigSync: () => ext ?? {},
  };
  if (cloud) {
    wx.cloud = { ...container, Cloud: class { constructor(options) { log.clouds.push(options); Object.assign(this, container); } } };
  }
  return { wx, log, storage };
}

const quick = () => {
  const pauses = [];
  return { pauses, options: { sleep: async (ms) => { pauses.push(ms); } } };
};

const signedIn = (call) => {
  if (call.path === '/miniapp/login') return { statusCode: 200, data: { token: `wxm_${call.data.code}`, expires_at: new Date(Date.now() + 3600e3).toISOString() } };
  return { statusCode: 200, data: { authorization: call.header.Authorization } };
};

const notReady = () => ({ errMsg: "callContainer:fail Error: Cloud API isn't enabled, please call wx.cloud.init first" });

test('a call goes through the container with environment and service, and init is made once', async () => {
  const { wx, log } = stub({ respond: () => ({ statusCode: 200, data: { openid: 'o1' } }) });
  const backend = createBackend(wx, { cloud: CLOUD });
  const answers = await Promise.all([backend.call('/miniapp/whoami'), backend.call('/a'), backend.call('/b', { method: 'PUT', data: { x: 1 } })]);
  assert.deepEqual(answers[0], { openid: 'o1' });
  assert.equal(log.inits, 1);
  assert.equal(log.requests.length, 0);
  const { config, path, method, data, header, timeout } = log.container[2];
  assert.deepEqual({ config, path, method, data, timeout }, { config: { env: 'prod-1' }, path: '/b', method: 'PUT', data: { x: 1 }, timeout: 15000 });
  assert.equal(header['X-WX-SERVICE'], 'wxsteward');
});

test('an environment that is shared is opened with its owner', async () => {
  const { wx, log } = stub();
  await createBackend(wx, { cloud: { ...CLOUD, resourceAppid: 'wxplatform' } }).call('/a');
  assert.deepEqual(log.clouds, [{ resourceAppid: 'wxplatform', resourceEnv: 'prod-1' }]);
  assert.equal(log.inits, 1);
});

test('a call waits for init, 300 ms at a time, also one that changes something', async () => {
  let left = 2;
  const { wx, log } = stub({ respond: () => (left-- > 0 ? notReady() : { statusCode: 200, data: 'ok' }) });
  const { pauses, options } = quick();
  assert.equal(await createBackend(wx, { cloud: CLOUD }, options).call('/a', { method: 'POST' }), 'ok');
  assert.deepEqual(pauses, [300, 300]);
  assert.equal(log.container.length, 3);
});

test('init that fails is made again by the next call', async () => {
  const { wx, log } = stub({ initFails: 3 });
  const { options } = quick();
  const backend = createBackend(wx, { cloud: CLOUD }, options);
  await assert.rejects(backend.call('/a'), CallError);
  await backend.call('/a');
  assert.equal(log.inits, 4);
});

test('a cloud that never gets ready gives way to the server for good', async () => {
  const { wx, log } = stub({ respond: (call) => (call.way === 'cloud' ? notReady() : signedIn(call)) });
  const { options } = quick();
  const backend = createBackend(wx, { cloud: CLOUD, baseURL: SERVER }, options);
  await backend.call('/a', { method: 'POST' });
  const tried = log.container.length;
  assert.equal(tried, 4);
  await backend.call('/b', { method: 'POST' });
  assert.equal(log.container.length, tried);
  assert.deepEqual(log.requests.map((r) => new URL(r.url).pathname), ['/miniapp/login', '/a', '/b']);
});

test('an environment that cannot be used gives way at once', async () => {
  const { wx, log } = stub({ respond: (call) => (call.way === 'cloud' ? { errMsg: 'cloud.callContainer:fail -501000 INVALID_ENV' } : signedIn(call)) });
  await createBackend(wx, { cloud: CLOUD, baseURL: SERVER }).call('/a', { method: 'POST' });
  assert.equal(log.container.length, 1);
});

test('a POST whose answer was lost is not sent again, neither way', async () => {
  const { wx, log } = stub({ respond: (call) => (call.way === 'cloud' ? { errMsg: 'callContainer:fail timeout' } : signedIn(call)) });
  const { options } = quick();
  await assert.rejects(createBackend(wx, { cloud: CLOUD, baseURL: SERVER }, options).call('/orders', { method: 'POST' }), (err) => err.status === 0 && /timeout/.test(err.message));
  assert.equal(log.container.length, 1);
  assert.equal(log.requests.length, 0);
});

test('a GET and a POST with a key are repeated with growing pauses while the server is not ready', async () => {
  for (const how of [{}, { method: 'POST', idempotencyKey: 'k1' }]) {
    let left = 2;
    const { wx, log } = stub({ respond: () => (left-- > 0 ? { statusCode: 503, data: {} } : { statusCode: 200, data: 'ok' }) });
    const { pauses, options } = quick();
    assert.equal(await createBackend(wx, { cloud: CLOUD }, options).call('/a', how), 'ok');
    assert.deepEqual(pauses, [300, 600]);
    if (how.idempotencyKey) assert.ok(log.container.every((c) => c.header['Idempotency-Key'] === 'k1'));
  }
});

test('three tries are enough, and a refusal is not repeated', async () => {
  const { options } = quick();
  const away = stub({ respond: () => ({ statusCode: 502, data: '<html>' }) });
  await assert.rejects(createBackend(away.wx, { cloud: CLOUD }, options).call('/a'), (err) => err.status === 502);
  assert.equal(away.log.container.length, 3);
  const refused = stub({ respond: () => ({ statusCode: 403, data: { code: 'forbidden', detail: 'not a merchant' } }) });
  await assert.rejects(createBackend(refused.wx, { cloud: CLOUD }, options).call('/a'), (err) => err.code === 'forbidden' && err.message === 'not a merchant');
  assert.equal(refused.log.container.length, 1);
});

test('without a cloud calls sign in once, share the session and keep it', async () => {
  const { wx, log } = stub({ cloud: false, respond: signedIn });
  const backend = createBackend(wx, { cloud: CLOUD, baseURL: SERVER });
  const [a, b] = await Promise.all([backend.call('/a'), backend.call('/b')]);
  assert.deepEqual([a, b], [{ authorization: 'Bearer wxm_code-1' }, { authorization: 'Bearer wxm_code-1' }]);
  assert.equal(log.logins, 1);
  assert.deepEqual(log.requests[0].data, { appid: APPID, code: 'code-1' });
  assert.equal(log.requests[0].url, 'https://wx.example.com/miniapp/login');
  await createBackend(wx, { baseURL: SERVER }).call('/c'); // started again
  assert.equal(log.logins, 1);
});

test('a session that is nearly over is renewed before it is used', async () => {
  const { wx, log, storage } = stub({ cloud: false, respond: signedIn });
  storage.set('wxsteward.session', { token: 'wxm_old', appid: APPID, expires_at: new Date(Date.now() + 30e3).toISOString() });
  assert.deepEqual(await createBackend(wx, { baseURL: SERVER }).call('/a'), { authorization: 'Bearer wxm_code-1' });
  assert.equal(log.logins, 1);
});

test('a session that the server does not take is renewed once', async () => {
  const { wx, log, storage } = stub({
    cloud: false,
    respond: (call) => (call.path !== '/miniapp/login' && call.header.Authorization === 'Bearer wxm_old' ? { statusCode: 401, data: {} } : signedIn(call)),
  });
  storage.set('wxsteward.session', { token: 'wxm_old', appid: APPID, expires_at: new Date(Date.now() + 3600e3).toISOString() });
  assert.deepEqual(await createBackend(wx, { baseURL: SERVER }).call('/a'), { authorization: 'Bearer wxm_code-1' });
  assert.equal(log.logins, 1);
  const stubborn = stub({ cloud: false, respond: (call) => (call.path === '/miniapp/login' ? signedIn(call) : { statusCode: 401, data: { code: 'unauthenticated' } }) });
  await assert.rejects(createBackend(stubborn.wx, { baseURL: SERVER }).call('/a'), (err) => err.status === 401);
  assert.equal(stubborn.log.logins, 2);
});

test('a sign-in that fails is told and tried again by the next call', async () => {
  let refuse = true;
  const { wx, log } = stub({ cloud: false, respond: (call) => (call.path === '/miniapp/login' && refuse ? { statusCode: 403, data: { code: 'forbidden' } } : signedIn(call)) });
  const backend = createBackend(wx, { baseURL: SERVER });
  await assert.rejects(backend.call('/a'), (err) => err.status === 403);
  refuse = false;
  await backend.call('/a');
  assert.equal(log.logins, 2);
});

test("a merchant's own settings from ext_json win", async () => {
  const { wx, log } = stub({ cloud: false, respond: signedIn, ext: { backend: { baseURL: 'https://shop.example.com' } } });
  await createBackend(wx, { baseURL: SERVER }).call('/a');
  assert.ok(log.requests.every((r) => r.url.startsWith('https://shop.example.com/')));
});

test('nothing configured is said', async () => {
  await assert.rejects(createBackend(stub({ cloud: false }).wx, {}, quick().options).call('/a', { method: 'POST' }), /configured/);
});

test('the phone number button sends its code, else its cloud id, once', async () => {
  const phone = { phone_number: '13800000000', pure_phone_number: '13800000000', country_code: '86' };
  const { wx, log } = stub({ respond: () => ({ statusCode: 200, data: phone }) });
  const backend = createBackend(wx, { cloud: CLOUD });
  assert.deepEqual(await backend.phoneNumber({ detail: { code: 'c1', cloudID: 'id1', errMsg: 'getPhoneNumber:ok' } }), phone);
  await backend.phoneNumber({ detail: { cloudID: 'id1' } });
  assert.deepEqual(log.container.map((c) => [c.path, c.method, c.data]), [['/miniapp/phone', 'POST', { code: 'c1' }], ['/miniapp/phone', 'POST', { cloud_id: 'id1' }]]);
  const away = stub({ respond: () => ({ statusCode: 503, data: {} }) });
  await assert.rejects(createBackend(away.wx, { cloud: CLOUD }).phoneNumber({ detail: { code: 'c1' } }));
  assert.equal(away.log.container.length, 1);
});

test('a user who declines is no error', async () => {
  const { wx, log } = stub();
  const backend = createBackend(wx, { cloud: CLOUD });
  assert.equal(await backend.phoneNumber({ detail: { errMsg: 'getPhoneNumber:fail user deny' } }), null);
  await assert.rejects(backend.phoneNumber({ detail: { errMsg: 'getPhoneNumber:fail no permission' } }), /no permission/);
  assert.equal(log.container.length, 0);
});

test('the page shows who calls and the phone number', async () => {
  const answers = { '/miniapp/whoami': { appid: APPID, openid: 'o1', source: 'callcontainer' }, '/miniapp/phone': { phone_number: '138' } };
  const { wx } = stub({ respond: (call) => ({ statusCode: 200, data: answers[call.path] }) });
  const app = { backend: createBackend(wx, { cloud: CLOUD }) };
  let definition;
  globalThis.Page = (d) => { definition = d; };
  globalThis.getApp = () => app;
  require('../pages/index/index.js');
  const page = { ...definition, data: { ...definition.data }, setData(part) { Object.assign(this.data, part); } };
  await page.load();
  assert.equal(page.data.me.openid, 'o1');
  await page.onPhone({ detail: { code: 'c1' } });
  assert.equal(page.data.phone.phone_number, '138');
  await page.onPhone({ detail: { errMsg: 'getPhoneNumber:fail user deny' } });
  assert.match(page.data.error, /没有授权/);
  delete globalThis.Page;
  delete globalThis.getApp;
});
