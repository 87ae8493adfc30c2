import { describe, expect, it } from 'vitest';
import {
  checkExtJson,
  checkForm,
  domainsOf,
  domainTexts,
  emptyForm,
  noDomains,
  noPrivacy,
  privacyForm,
  privacyOf,
  toRequest,
} from './rollout';

function filled() {
  return {
    ...emptyForm(),
    name: ' autumn ',
    template_id: 0,
    user_version: '2.3.0',
    appids: ['wx1'],
  };
}

describe('checkExtJson', () => {
  it('accepts the four placeholders, also inside longer strings', () => {
    expect(checkExtJson('{"ext":{"a":"{{appid}}-{{ biz_id }}","b":["{{nick_name}}",{"c":"{{label}}"}]}}')).toBeNull();
  });
  it('names an unknown placeholder', () => {
    expect(checkExtJson('{"ext":{"a":["{{shop}}"]}}')).toEqual({ key: 'placeholder', detail: '{{shop}}' });
  });
  it('refuses what is not an object', () => {
    expect(checkExtJson('[1]')?.key).toBe('jsonObject');
    expect(checkExtJson('{')?.key).toBe('jsonSyntax');
  });
  it('lets an empty text be', () => {
    expect(checkExtJson(' ')).toBeNull();
  });
});

describe('checkForm', () => {
  it('finds nothing wrong with template 0', () => {
    expect(checkForm(filled())).toEqual({});
  });
  it('asks for targets of the chosen kind', () => {
    expect(checkForm({ ...filled(), appids: [] }).targets?.key).toBe('targets');
    expect(checkForm({ ...filled(), targetMode: 'labels' }).targets?.key).toBe('labels');
    expect(checkForm({ ...filled(), targetMode: 'all', appids: [] })).toEqual({});
  });
  it('checks domains only when they are to be set', () => {
    const form = filled();
    form.domains.ws_request = 'https://a.com';
    expect(checkForm(form)).toEqual({});
    form.setDomains = true;
    expect(checkForm(form)['domains.ws_request']?.key).toBe('domainScheme');
  });
  it('wants a contact, a way of notice and whole rows for privacy', () => {
    const form = { ...filled(), setPrivacy: true, privacyTexts: [{ privacy_key: 'UserInfo', privacy_text: '' }] };
    expect(Object.keys(checkForm(form)).sort()).toEqual([
      'privacy.owner_setting',
      'privacy.owner_setting.notice_method',
      'privacy.setting_list',
    ]);
  });
});

describe('the strategy', () => {
  const now = Date.parse('2026-05-01T00:00:00Z');
  it('is left out of the request when nothing is filled in', () => {
    const body = toRequest(filled());
    expect('strategy' in body || 'start_at' in body || 'window' in (body.release ?? {})).toBe(false);
  });
  it('tells a limit of 0 percent from no limit', () => {
    expect(toRequest({ ...filled(), max_failed: '0' }).strategy).toEqual({ max_failed_percent: 0 });
  });
  it('sends numbers, the window and the start as UTC', () => {
    const form = { ...filled(), canary: '2', batch_size: '50', window: ' *  2-5 * * * ', start_at: '2026-05-02T08:00' };
    const body = toRequest(form);
    expect(body.strategy).toEqual({ canary: 2, batch_size: 50 });
    expect(body.release).toEqual({ mode: 'auto', window: '* 2-5 * * *' });
    expect(body.start_at).toBe(new Date('2026-05-02T08:00').toISOString());
  });
  it('is checked before it is sent', () => {
    const form = {
      ...filled(),
      canary: '0',
      batch_size: '1.5',
      max_failed: '101',
      window: '2-5',
      start_at: '2026-04-01T08:00',
    };
    expect(Object.keys(checkForm(form, now)).sort()).toEqual([
      'release.window',
      'start_at',
      'strategy.batch_size',
      'strategy.canary',
      'strategy.max_failed_percent',
    ]);
  });
});

describe('toRequest', () => {
  it('leaves domains and privacy out when they stay as they are', () => {
    const body = toRequest(filled());
    expect(body.name).toBe('autumn');
    expect(body.template_id).toBe(0);
    expect('domains' in body || 'privacy' in body).toBe(false);
    expect(body.targets).toEqual({ appids: ['wx1'], labels: [], all: false });
  });
  it('sends every kind of domain, so that an empty list clears', () => {
    const form = { ...filled(), setDomains: true };
    form.domains.request = 'https://a.com\nhttps://b.com';
    expect(toRequest(form).domains).toEqual({
      request: ['https://a.com', 'https://b.com'],
      ws_request: [],
      upload: [],
      download: [],
      udp: [],
      tcp: [],
      webview: [],
    });
  });
  it('sends only the targets of the chosen kind', () => {
    expect(toRequest({ ...filled(), targetMode: 'all', labels: ['vip'] }).targets).toEqual({
      appids: [],
      labels: [],
      all: true,
    });
  });
});

describe('the reviewers', () => {
  const category = {
    first_class: 'a',
    first_id: 1,
    second_class: 'b',
    second_id: 2,
    third_class: '',
    third_id: 0,
  };
  const media = (media_id: string, type: 'image' | 'video') => ({
    media_id,
    type,
    name: media_id,
    size: 1,
    content_type: '',
    created_at: '',
  });

  it('get pages, files and what users publish', () => {
    const form = {
      ...filled(),
      pages: [{ address: ' pages/index ', title: '', tag: ' tea  cake ', category }],
      preview: [media('p', 'image'), media('v', 'video')],
      feedback_stuff: [media('f', 'image')],
      ugc: { mode: 'some' as const, scenes: [2], methods: [1], team: true, desc: '' },
    };
    expect(checkForm(form)).toEqual({});
    const { audit } = toRequest(form);
    expect(audit?.item_list).toEqual([
      { first_class: 'a', first_id: 1, second_class: 'b', second_id: 2, address: 'pages/index', tag: 'tea cake' },
    ]);
    expect(audit?.preview_info).toEqual({ pic_id_list: ['p'], video_id_list: ['v'] });
    expect(audit?.feedback_stuff).toEqual(['f']);
    expect(audit?.ugc_declare).toEqual({ scene: [2], method: [1], has_audit_team: 1 });
  });
  it('are told nothing that was not filled in', () => {
    expect(Object.keys(toRequest(filled()).audit ?? {}).sort()).toEqual([
      'feedback_info',
      'order_path',
      'privacy_api_not_use',
      'submit',
      'version_desc',
    ]);
  });
  it('need a category for each page and a whole declaration', () => {
    const form = { ...filled(), pages: [{ address: '', title: '', tag: '', category: null }] };
    expect(checkForm(form)['audit.item_list']?.key).toBe('auditPage');
    const ugc = { mode: 'some' as const, scenes: [1], methods: [], team: false, desc: '' };
    expect(checkForm({ ...filled(), ugc })['audit.ugc_declare']?.key).toBe('ugc');
    expect(toRequest({ ...filled(), ugc: { ...ugc, mode: 'none' } }).audit?.ugc_declare?.scene).toEqual([0]);
  });
});

describe('saved settings', () => {
  it('come back as they were filled in', () => {
    const domains = { ...noDomains, request: 'https://a.com\nhttps://b.com', udp: 'udp://c.com' };
    expect(domainTexts(domainsOf(domains))).toEqual(domains);
    const privacy = {
      ...noPrivacy,
      owner: { ...noPrivacy.owner, contact_email: 'a@b.cn' },
      notice_method: 'x',
      store_expire: '30天',
      privacyTexts: [{ privacy_key: 'Album', privacy_text: 'y' }],
    };
    expect(privacyForm(privacyOf(privacy))).toEqual(privacy);
  });
});
