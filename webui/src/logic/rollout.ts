import type { AuditMedia, Category, RolloutRequest } from '../api/types';
import { isInterval, percentages, releaseOf } from './board';
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

export type DomainTexts = Record<DomainKind, string>;

/** PrivacyForm is a privacy guideline as typed. */
export interface PrivacyForm {
  owner: Record<OwnerField, string>;
  notice_method: string;
  store_expire: string;
  privacyTexts: { privacy_key: string; privacy_text: string }[];
}

/** AuditPage is a page that the reviewers are told of, with its category and tags. */
export interface AuditPage {
  address: string;
  title: string;
  tag: string;
  category: Category | null;
}

/** Where users publish, and how it is checked, by WeChat's numbers; 0 alone is nowhere. */
export const ugcScenes = [1, 2, 3, 4, 5] as const;
export const ugcMethods = [1, 2, 3, 4] as const;

/** Ugc is the declaration of what users publish; keep sends none. */
export interface Ugc {
  mode: 'keep' | 'none' | 'some';
  scenes: number[];
  methods: number[];
  team: boolean;
  desc: string;
}

/** RolloutForm is what the wizard edits: texts as typed, nothing dropped while a section is switched off. */
export interface RolloutForm extends PrivacyForm {
  name: string;
  template_id: number | null;
  user_version: string;
  user_desc: string;
  targetMode: 'pick' | 'labels' | 'all';
  appids: string[];
  labels: string[];
  ext_json: string;
  setDomains: boolean;
  domains: DomainTexts;
  setPrivacy: boolean;
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
  /** gray are growing percentages as people write them; interval is a time such as 2h. */
  gray: string;
  interval: string;
  below_version: string;
  speed_up_labels: string[];
  /** pages are what the reviewers are told of; preview and feedback_stuff what was uploaded for them. */
  pages: AuditPage[];
  preview: AuditMedia[];
  feedback_stuff: AuditMedia[];
  ugc: Ugc;
  /** withdraw_running takes an older version of ours back that is in audit. */
  withdraw_running: boolean;
}

export const noDomains: DomainTexts = {
  request: '',
  ws_request: '',
  upload: '',
  download: '',
  udp: '',
  tcp: '',
  webview: '',
};

export const noPrivacy: PrivacyForm = {
  owner: { contact_email: '', contact_phone: '', contact_qq: '', contact_weixin: '' },
  notice_method: '',
  store_expire: '',
  privacyTexts: [],
};

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
    domains: { ...noDomains },
    setPrivacy: false,
    ...noPrivacy,
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
    gray: '',
    interval: '',
    below_version: '',
    speed_up_labels: [],
    pages: [],
    preview: [],
    feedback_stuff: [],
    ugc: { mode: 'keep', scenes: [], methods: [], team: false, desc: '' },
    withdraw_running: false,
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
    | 'window'
    | 'gray'
    | 'interval'
    | 'auditPage'
    | 'ugc';
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
  if (percentages(form.gray) === null) errors['release.gray'] = { key: 'gray' };
  if (form.interval.trim() !== '' && !isInterval(form.interval)) errors['release.gray_interval'] = { key: 'interval' };
  return errors;
}

function under(part: string, errors: FormErrors): FormErrors {
  return Object.fromEntries(Object.entries(errors).map(([field, error]) => [`${part}.${field}`, error]));
}

export function checkDomains(domains: DomainTexts): FormErrors {
  const errors: FormErrors = {};
  for (const kind of domainKinds) {
    const wrong = splitList(domains[kind]).find(
      (d) => !d.startsWith(schemes[kind]) || d.length <= schemes[kind].length,
    );
    if (wrong) errors[kind] = { key: 'domainScheme', detail: `${wrong} → ${schemes[kind]}…` };
  }
  return errors;
}

export function checkPrivacy(form: PrivacyForm): FormErrors {
  const errors: FormErrors = {};
  if (ownerFields.every((f) => form.owner[f].trim() === '')) errors.owner_setting = { key: 'contact' };
  if (form.notice_method.trim() === '') errors['owner_setting.notice_method'] = { key: 'notice' };
  if (form.store_expire.trim() !== '' && !/^\d+天$/.test(form.store_expire.trim())) {
    errors['owner_setting.store_expire_timestamp'] = { key: 'expire' };
  }
  if (form.privacyTexts.some((row) => row.privacy_key.trim() === '' || row.privacy_text.trim() === '')) {
    errors.setting_list = { key: 'privacyText' };
  }
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
  if (form.setDomains) Object.assign(errors, under('domains', checkDomains(form.domains)));
  if (form.setPrivacy) Object.assign(errors, under('privacy', checkPrivacy(form)));
  if (form.pages.some((p) => p.category === null)) errors['audit.item_list'] = { key: 'auditPage' };
  if (form.ugc.mode === 'some' && (form.ugc.scenes.length === 0 || form.ugc.methods.length === 0)) {
    errors['audit.ugc_declare'] = { key: 'ugc' };
  }
  return errors;
}

type Domains = NonNullable<RolloutRequest['domains']>;
type Privacy = NonNullable<RolloutRequest['privacy']>;
type Audit = NonNullable<RolloutRequest['audit']>;

export function domainsOf(texts: DomainTexts): Domains {
  return Object.fromEntries(domainKinds.map((kind) => [kind, splitList(texts[kind])]));
}

/** domainTexts is the other way round: lists to be typed in. */
export function domainTexts(domains: Domains): DomainTexts {
  return Object.fromEntries(domainKinds.map((kind) => [kind, (domains[kind] ?? []).join('\n')])) as DomainTexts;
}

export function privacyOf(form: PrivacyForm): Privacy {
  const owner: Privacy['owner_setting'] = { notice_method: form.notice_method.trim() };
  for (const field of ownerFields) {
    const value = form.owner[field].trim();
    if (value !== '') owner[field] = value;
  }
  const expire = form.store_expire.trim();
  if (expire !== '') owner.store_expire_timestamp = expire;
  return {
    owner_setting: owner,
    setting_list: form.privacyTexts.map((row) => ({
      privacy_key: row.privacy_key.trim(),
      privacy_text: row.privacy_text.trim(),
    })),
  };
}

export function privacyForm({ owner_setting: owner, setting_list: rows }: Privacy): PrivacyForm {
  return {
    owner: Object.fromEntries(ownerFields.map((f) => [f, owner[f] ?? ''])) as PrivacyForm['owner'],
    notice_method: owner.notice_method ?? '',
    store_expire: owner.store_expire_timestamp ?? '',
    privacyTexts: (rows ?? []).map((row) => ({ ...row })),
  };
}

function itemOf(page: AuditPage): NonNullable<Audit['item_list']>[number] {
  const { category: c } = page;
  const item: NonNullable<Audit['item_list']>[number] = {
    first_class: c?.first_class ?? '',
    first_id: c?.first_id ?? 0,
    second_class: c?.second_class ?? '',
    second_id: c?.second_id ?? 0,
  };
  if (c?.third_id) {
    item.third_class = c.third_class;
    item.third_id = c.third_id;
  }
  if (page.address.trim() !== '') item.address = page.address.trim();
  if (page.title.trim() !== '') item.title = page.title.trim();
  const tag = page.tag.trim().split(/\s+/).join(' ');
  if (tag !== '') item.tag = tag;
  return item;
}

function auditOf(form: RolloutForm): Audit {
  const audit: Audit = {
    submit: form.submit,
    version_desc: form.version_desc.trim(),
    feedback_info: form.feedback_info.trim(),
    privacy_api_not_use: form.privacy_api_not_use,
    order_path: form.order_path.trim(),
  };
  if (form.speed_up_labels.length > 0) audit.speed_up_labels = form.speed_up_labels;
  if (form.pages.length > 0) audit.item_list = form.pages.map(itemOf);
  if (form.feedback_stuff.length > 0) audit.feedback_stuff = form.feedback_stuff.map((m) => m.media_id);
  if (form.preview.length > 0) {
    const of = (type: AuditMedia['type']) => form.preview.filter((m) => m.type === type).map((m) => m.media_id);
    audit.preview_info = { pic_id_list: of('image'), video_id_list: of('video') };
  }
  const { ugc } = form;
  if (ugc.mode === 'none') audit.ugc_declare = { scene: [0], has_audit_team: 0 };
  if (ugc.mode === 'some') {
    audit.ugc_declare = { scene: ugc.scenes, method: ugc.methods, has_audit_team: ugc.team ? 1 : 0 };
    if (ugc.desc.trim() !== '') audit.ugc_declare.audit_desc = ugc.desc.trim();
  }
  return audit;
}

/** targetsOf says who is meant, as the form has it now. */
export function targetsOf(
  form: Pick<RolloutForm, 'targetMode' | 'appids' | 'labels' | 'below_version'>,
): RolloutRequest['targets'] {
  const targets: RolloutRequest['targets'] = {
    appids: form.targetMode === 'pick' ? form.appids : [],
    labels: form.targetMode === 'labels' ? form.labels : [],
    all: form.targetMode === 'all',
  };
  if (form.below_version.trim() !== '') targets.below_version = form.below_version.trim();
  return targets;
}

/** toRequest makes the body of POST /rollouts out of a form that checkForm found nothing wrong with. */
export function toRequest(form: RolloutForm): RolloutRequest {
  const body: RolloutRequest = {
    name: form.name.trim(),
    template_id: form.template_id ?? 0,
    user_version: form.user_version.trim(),
    user_desc: form.user_desc.trim(),
    targets: targetsOf(form),
    audit: auditOf(form),
    release: releaseOf({ ...form, mode: form.release }),
  };
  const strategy: NonNullable<RolloutRequest['strategy']> = {};
  if (form.canary.trim() !== '') strategy.canary = Number(form.canary);
  if (form.batch_size.trim() !== '') strategy.batch_size = Number(form.batch_size);
  if (form.max_failed.trim() !== '') strategy.max_failed_percent = Number(form.max_failed);
  if (form.withdraw_running) strategy.withdraw_running = true;
  if (Object.keys(strategy).length > 0) body.strategy = strategy;
  if (form.start_at !== '') body.start_at = new Date(form.start_at).toISOString();
  if (form.ext_json.trim() !== '') body.ext_json = JSON.parse(form.ext_json) as RolloutRequest['ext_json'];
  if (form.setDomains) body.domains = domainsOf(form.domains);
  if (form.setPrivacy) body.privacy = privacyOf(form);
  return body;
}
