// Calls to wxsteward and the business system behind it.
//
//   const backend = createBackend(wx, config);
//   const me = await backend.call('/miniapp/whoami');
//   const order = await backend.call('/orders', { method: 'POST', data: { dish: 7 } });
//
// The way is wx.cloud.callContainer: WeChat tells the server who calls, without a sign-in and without a request domain.
// Where that cannot be used (an old base library, no environment, one that is out of reach) the way is wx.request with a
// session of POST /miniapp/login.

const INIT_PAUSE = 300; // ms; what WeChat advises while "Cloud API isn't enabled"
const INIT_TRIES = 3;
const TRIES = 3; // of a call that may be repeated
const TIMEOUT = 15000; // ms; the most that callContainer allows
const SESSION_KEY = 'wxsteward.session';
const EARLY = 60000; // ms before its end that a session is renewed

/** A call that failed. status is the HTTP status, 0 when no answer came; code is wxsteward's stable word. */
class CallError extends Error {
  constructor(message, { status = 0, code = '', detail = null, cause } = {}) {
    super(message);
    this.name = 'CallError';
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.cause = cause;
  }
}

function createBackend(wx, config, { sleep = (ms) => new Promise((done) => setTimeout(done, ms)), now = () => Date.now() } = {}) {
  const settings = { ...config, ...ownSettings(wx) };
  let cloud = null; // promise of what has callContainer
  let cloudIsAway = false; // then wx.request is the way, until the mini program is started again
  let signIn = null; // promise of the sign-in under way, so that many calls share one

  const hasCloud = () => Boolean(settings.cloud && settings.cloud.env && wx.cloud && !cloudIsAway);

  // The cloud is made ready once, by the first call; a failure is forgotten, so that the next call tries again.
  function ready() {
    if (!cloud) {
      cloud = init().catch((err) => {
        cloud = null;
        throw err;
      });
    }
    return cloud;
  }

  async function init() {
    const { env, resourceAppid } = settings.cloud;
    if (resourceAppid) {
      const shared = new wx.cloud.Cloud({ resourceAppid, resourceEnv: env });
      await shared.init();
      return shared;
    }
    await wx.cloud.init();
    return wx.cloud;
  }

  async function throughCloud(path, { method, data, header, timeout }) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const target = await ready();
        const answer = await target.callContainer({
          config: { env: settings.cloud.env },
          path,
          method,
          data,
          header: { 'X-WX-SERVICE': settings.cloud.service, ...header },
          timeout,
        });
        return { status: answer.statusCode, data: answer.data };
      } catch (err) {
        // The call has not been made yet, so even one that changes something may be repeated.
        if (!notReady(err) || attempt > INIT_TRIES) throw err;
        cloud = null;
        await sleep(INIT_PAUSE);
      }
    }
  }

  function request(path, { method, data, header, timeout }) {
    return new Promise((resolve, reject) => {
      wx.request({
        url: settings.baseURL.replace(/\/+$/, '') + path,
        method,
        data,
        header: { 'content-type': 'application/json', ...header },
        timeout,
        success: (answer) => resolve({ status: answer.statusCode, data: answer.data }),
        fail: reject,
      });
    });
  }

  function session() {
    const kept = wx.getStorageSync(SESSION_KEY);
    if (kept && kept.token && kept.appid === appid() && Date.parse(kept.expires_at) - now() > EARLY) return Promise.resolve(kept.token);
    if (!signIn) {
      signIn = login().finally(() => {
        signIn = null;
      });
    }
    return signIn;
  }

  async function login() {
    const { code } = await new Promise((resolve, reject) => {
      wx.login({ success: resolve, fail: reject });
    });
    const answer = await request('/miniapp/login', { method: 'POST', data: { appid: appid(), code }, timeout: TIMEOUT });
    if (answer.status !== 200) throw problem(answer);
    wx.setStorageSync(SESSION_KEY, { ...answer.data, appid: appid() });
    return answer.data.token;
  }

  function appid() {
    return wx.getAccountInfoSync().miniProgram.appId;
  }

  async function throughServer(path, options) {
    for (let renewed = false; ; renewed = true) {
      const token = await session();
      const answer = await request(path, { ...options, header: { ...options.header, Authorization: `Bearer ${token}` } });
      if (answer.status !== 401 || renewed) return answer;
      wx.removeStorageSync(SESSION_KEY); // over on the server's side: once more with a new one
    }
  }

  async function once(path, options) {
    if (!hasCloud()) {
      if (!settings.baseURL) throw new CallError('neither Cloud Run nor a server is configured');
      return throughServer(path, options);
    }
    try {
      return await throughCloud(path, options);
    } catch (err) {
      // What may have reached the server is not sent another way, unless repeating it does no harm.
      if (!settings.baseURL || !(notReady(err) || unusable(err) || repeatable(options))) throw err;
      if (unusable(err) || notReady(err)) cloudIsAway = true;
      return throughServer(path, options);
    }
  }

  /**
   * Calls path and gives the answer's body. GET, HEAD, PUT and DELETE are repeated when no answer came or the server was
   * not ready (502, 503, 504); so is a POST with an idempotencyKey, which wxsteward and its business system can recognise.
   */
  async function call(path, { method = 'GET', data, header = {}, timeout = TIMEOUT, idempotencyKey } = {}) {
    const options = { method, data, header: { ...header }, timeout };
    if (idempotencyKey) options.header['Idempotency-Key'] = idempotencyKey;
    for (let attempt = 1; ; attempt += 1) {
      let failure;
      try {
        const answer = await once(path, options);
        if (answer.status < 400) return answer.data;
        failure = problem(answer);
      } catch (err) {
        failure = err instanceof CallError ? err : new CallError(err.errMsg || err.message || 'no answer', { cause: err });
      }
      const again = failure.status === 0 || failure.status === 502 || failure.status === 503 || failure.status === 504;
      if (!again || attempt >= TRIES || !repeatable(options)) throw failure;
      await sleep(INIT_PAUSE * 2 ** (attempt - 1));
    }
  }

  /** Gives the phone number for the event of <button open-type="getPhoneNumber">, null when the user has declined. */
  async function phoneNumber(event) {
    const { code, cloudID, errMsg = '' } = event.detail || {};
    if (!code && !cloudID) {
      if (/deny|cancel/.test(errMsg)) return null;
      throw new CallError(errMsg || 'this version of WeChat gives no phone number');
    }
    // A code works once: this call is not repeated by itself.
    return call('/miniapp/phone', { method: 'POST', data: code ? { code } : { cloud_id: cloudID } });
  }

  return { call, phoneNumber };
}

function ownSettings(wx) {
  const ext = (wx.getExtConfigSync && wx.getExtConfigSync()) || {};
  return ext.backend || {};
}

/** Tells errors of a cloud whose init has not ended. */
function notReady(err) {
  return /Cloud API isn't enabled/i.test(String((err && (err.errMsg || err.message)) || err));
}

/** Tells errors of an environment that this mini program cannot use: waiting does not help. */
function unusable(err) {
  return /INVALID_ENV|env not exists|-501000|-606001|no permission|not support/i.test(String((err && (err.errMsg || err.message)) || err));
}

function repeatable({ method, header }) {
  return ['GET', 'HEAD', 'PUT', 'DELETE'].includes(method) || Boolean(header['Idempotency-Key']);
}

/** Reads wxsteward's error bodies (RFC 9457). */
function problem({ status, data }) {
  const body = data && typeof data === 'object' ? data : {};
  return new CallError(body.detail || body.title || `status ${status}`, { status, code: body.code || '', detail: data });
}

module.exports = { createBackend, CallError };
