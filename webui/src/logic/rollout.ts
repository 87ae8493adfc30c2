import type { RolloutRequest } from '../api/types';
import { splitList } from './text';
import { readWindow } from './window';

export const domainKinds = ['request', 'ws_request', 'upload', 'download', 'udp', 'tcp', 'webview'] as const;
export type DomainKind = (typeof domainKinds)[number];

export const ownerFields = ['contact_email', 'contact_phone', 'contact_qq', 'contact_weixin'] as const;
export type OwnerField = (typeof ownerFields)[number];

/** privacyKeys that WeChat documents; further ones are allowed. */
export const privacyKeys = [
  'UserInfo',
  'Location',
  'Address',
  'PhoneNumber',
  'Album',
  'AlbumWriteOnly',
  'Camera',
  'Record',
  'MessageFile',
  'Invoice',
  'RunData',
  'Contact',
  'DeviceInfo',
  'BlueTooth',
  'CalendarWriteOnly',
  'Email',
  'LicensePlate',
  'EXIDNumber',
  'EXOrderInfo',
  'EXUserPublishContent',
  'EXUserFollowAcct',
  'EXUserOpLog',
] as const;

/** RolloutForm is what the create page edits: texts as typed, nothing dropped while a section is switched off. */
export interface RolloutForm {
  name: string;
  template_id: number | null;
  user_version: string;
  user_desc: string;
  targetMode: 'pick' | 'labels' | 'all';
  appids: string[];
  labels: string[];
  ext_json: string;
  setDomains: boolean;
  domains: Record<DomainKind, string>;
  setPrivacy: boolean;
  owner: Record<OwnerField, string>;
  notice_method: string;
  store_expire: string;
  privacyTexts: { privacy_key: string; privacy_text: string }[];
  submit: 'auto' | 'manual';
  version_desc: string;
  feedback_info: string;
  order_path: string;
  privacy_api_not_use: boolean;
  release: 'auto' | 'manual';
  canary: string;
  batch_size: string;
  max_failed: string;
  /** start_at is a local time as <input type="datetime-local"> gives it. */
  start_at: string;
  window: string;
}

export const defaultExt = '{\n  "extAppid": "{{appid}}",\n  "ext": {}\n}';

export function emptyForm(): RolloutForm {
  return {
    name: '',
    template_id: null,
    user_version: '',
    user_desc: '',
    targetMode: 'pick',
    appids: [],
    labels: [],
    ext_json: defaultExt,
    setDomains: false,
    domains: { request: '', ws_request: '', upload: '', download: '', udp: '', tcp: '', webview: '' },
    setPrivacy: false,
    owner: { contact_email: '', contact_phone: '', contact_qq: '', contact_weixin: '' },
    notice_method: '',
    store_expire: '',
    privacyTexts: [],
    submit: 'auto',
    version_desc: '',
    feedback_info: '',
    order_path: '',
    privacy_api_not_use: false,
    release: 'auto',
    canary: '',
    batch_size: '',
    max_failed: '',
    start_at: '',
    window: '',
  };
}

/** FormError is a key of the catalogue under rollout.errors, with what fills its gaps. */
export interface FormError {
  key:
    | 'required'
    | 'template'
    | 'targets'
    | 'labels'
    | 'jsonSyntax'
    | 'jsonObject'
    | 'placeholder'
    | 'domainScheme'
    | 'contact'
    | 'notice'
    | 'expire'
    | 'privacyText'
    | 'wholeNumber'
    | 'percent'
    | 'past'
    | 'window';
  detail?: string;
}

const placeholders = new Set(['appid', 'biz_id', 'nick_name', 'label']);

/** checkExtJson finds what the server would refuse: bad JSON, not an object, an unknown placeholder. */
export function checkExtJson(text: string): FormError | null {
  if (text.trim() === '') return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    return { key: 'jsonSyntax', detail: thrown instanceof Error ? thrown.message : '' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { key: 'jsonObject' };
  return findPlaceholder(value);
}

function findPlaceholder(value: unknown): FormError | null {
  if (typeof value === 'string') {
    for (const match of value.matchAll(/\{\{([^{}]*)\}\}/g)) {
      if (!placeholders.has((match[1] ?? '').trim())) return { key: 'placeholder', detail: match[0] };
    }
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  for (const part of Object.values(value)) {
    const found = findPlaceholder(part);
    if (found) return found;
  }
  return null;
}

const schemes: Record<DomainKind, string> = {
  request: 'https://',
  ws_request: 'wss://',
  upload: 'https://',
  download: 'https://',
  udp: 'udp://',
  tcp: 'tcp://',
  webview: 'https://',
};

export type FormErrors = Record<string, FormError>;

const most = 1_000_000;

function wholeNumber(text: string, least: number, greatest: number): boolean {
  return /^\d{1,7}$/.test(text) && Number(text) >= least && Number(text) <= greatest;
}

function checkStrategy(form: RolloutForm, now: number): FormErrors {
  const errors: FormErrors = {};
  for (const field of ['canary', 'batch_size'] as const) {
    const text = form[field].trim();
    if (text !== '' && !wholeNumber(text, 1, most)) errors[`strategy.${field}`] = { key: 'wholeNumber' };
  }
  const failed = form.max_failed.trim();
  if (failed !== '' && !wholeNumber(failed, 0, 100)) errors['strategy.max_failed_percent'] = { key: 'percent' };
  if (form.start_at !== '' && !(Date.parse(form.start_at) > now)) errors.start_at = { key: 'past' };
  if (form.window.trim() !== '' && !readWindow(form.window)) errors['release.window'] = { key: 'window' };
  return errors;
}

export function checkForm(form: RolloutForm, now = Date.now()): FormErrors {
  const errors: FormErrors = checkStrategy(form, now);
  if (form.name.trim() === '') errors.name = { key: 'required' };
  if (form.template_id === null) errors.template_id = { key: 'template' };
  if (form.user_version.trim() === '') errors.user_version = { key: 'required' };
  if (form.targetMode === 'pick' && form.appids.length === 0) errors.targets = { key: 'targets' };
  if (form.targetMode === 'labels' && form.labels.length === 0) errors.targets = { key: 'labels' };
  const ext = checkExtJson(form.ext_json);
  if (ext) errors.ext_json = ext;
  if (form.setDomains) {
    for (const kind of domainKinds) {
      const wrong = splitList(form.domains[kind]).find(
        (d) => !d.startsWith(schemes[kind]) || d.length <= schemes[kind].length,
      );
      if (wrong) errors[`domains.${kind}`] = { key: 'domainScheme', detail: `${wrong} → ${schemes[kind]}…` };
    }
  }
  if (form.setPrivacy) {
    if (ownerFields.every((f) => form.owner[f].trim() === '')) errors['privacy.owner_setting'] = { key: 'contact' };
    if (form.notice_method.trim() === '') errors['privacy.owner_setting.notice_method'] = { key: 'notice' };
    if (form.store_expire.trim() !== '' && !/^\d+天$/.test(form.store_expire.trim())) {
      errors['privacy.owner_setting.store_expire_timestamp'] = { key: 'expire' };
    }
    if (form.privacyTexts.some((row) => row.privacy_key.trim() === '' || row.privacy_text.trim() === '')) {
      errors['privacy.setting_list'] = { key: 'privacyText' };
    }
  }
  return errors;
}

/** toRequest makes the body of POST /rollouts out of a form that checkForm found nothing wrong with. */
export function toRequest(form: RolloutForm): RolloutRequest {
  const body: RolloutRequest = {
    name: form.name.trim(),
    template_id: form.template_id ?? 0,
    user_version: form.user_version.trim(),
    user_desc: form.user_desc.trim(),
    targets: {
      appids: form.targetMode === 'pick' ? form.appids : [],
      labels: form.targetMode === 'labels' ? form.labels : [],
      all: form.targetMode === 'all',
    },
    audit: {
      submit: form.submit,
      version_desc: form.version_desc.trim(),
      feedback_info: form.feedback_info.trim(),
      privacy_api_not_use: form.privacy_api_not_use,
      order_path: form.order_path.trim(),
    },
    release: { mode: form.release },
  };
  const window = form.window.trim();
  if (window !== '' && body.release) body.release.window = window.split(/\s+/).join(' ');
  const strategy: NonNullable<RolloutRequest['strategy']> = {};
  if (form.canary.trim() !== '') strategy.canary = Number(form.canary);
  if (form.batch_size.trim() !== '') strategy.batch_size = Number(form.batch_size);
  if (form.max_failed.trim() !== '') strategy.max_failed_percent = Number(form.max_failed);
  if (Object.keys(strategy).length > 0) body.strategy = strategy;
  if (form.start_at !== '') body.start_at = new Date(form.start_at).toISOString();
  if (form.ext_json.trim() !== '') body.ext_json = JSON.parse(form.ext_json) as RolloutRequest['ext_json'];
  if (form.setDomains) {
    body.domains = Object.fromEntries(domainKinds.map((kind) => [kind, splitList(form.domains[kind])]));
  }
  if (form.setPrivacy) {
    const owner: NonNullable<RolloutRequest['privacy']>['owner_setting'] = { notice_method: form.notice_method.trim() };
    for (const field of ownerFields) {
      const value = form.owner[field].trim();
      if (value !== '') owner[field] = value;
    }
    const expire = form.store_expire.trim();
    if (expire !== '') owner.store_expire_timestamp = expire;
    body.privacy = {
      owner_setting: owner,
      setting_list: form.privacyTexts.map((row) => ({
        privacy_key: row.privacy_key.trim(),
        privacy_text: row.privacy_text.trim(),
      })),
    };
  }
  return body;
}
