import { textWidth } from './operations';
import type { Tone } from './states';

export const registrationKinds = [
  'enterprise',
  'personal',
  'personal_upgrade',
  'trial',
  'trial_enterprise',
  'trial_upgrade',
  'official_account',
  'admin_change',
] as const;
export type RegistrationKind = (typeof registrationKinds)[number];

/** wizardKinds are those that a mini program comes of; an administrator is changed where the merchant is. */
export const wizardKinds = registrationKinds.filter((kind) => kind !== 'admin_change');

export const registrationFields = ['appid', 'biz_id', 'name', 'code', 'idname', 'wxuser', 'openid', 'phone'] as const;
export type RegistrationField = (typeof registrationFields)[number];

interface Ask {
  fields: readonly RegistrationField[];
  optional?: readonly RegistrationField[];
}

const asks: Record<RegistrationKind, Ask> = {
  enterprise: { fields: ['biz_id', 'name', 'code', 'phone'] },
  personal: { fields: ['biz_id', 'idname', 'wxuser', 'phone'], optional: ['phone'] },
  personal_upgrade: { fields: ['biz_id', 'openid', 'phone'] },
  trial: { fields: ['biz_id', 'name', 'openid'] },
  trial_enterprise: { fields: ['appid', 'name', 'code', 'phone', 'biz_id'], optional: ['biz_id'] },
  trial_upgrade: { fields: ['appid', 'phone', 'biz_id'], optional: ['biz_id'] },
  official_account: { fields: ['appid', 'biz_id'] },
  admin_change: { fields: ['appid'] },
};

/** fieldsOf are the fields that a kind of registration is asked with, in the order of the form. */
export function fieldsOf(kind: RegistrationKind): readonly RegistrationField[] {
  return asks[kind].fields;
}

export function isOptional(kind: RegistrationKind, field: RegistrationField): boolean {
  return asks[kind].optional?.includes(field) ?? false;
}

/** converts says that something becomes of a mini program that there is, and none is made. */
export function converts(kind: RegistrationKind): boolean {
  return kind === 'trial_enterprise' || kind === 'trial_upgrade' || kind === 'admin_change';
}

/** VisitedKind is a kind that an administrator begins on a page of ours, at a computer. */
export type VisitedKind = 'official_account' | 'admin_change';

export function isVisited(kind: RegistrationKind): kind is VisitedKind {
  return kind === 'official_account' || kind === 'admin_change';
}

export type Values = Partial<Record<RegistrationField, string>>;
export type FieldTrouble = 'missing' | 'code' | 'phone' | 'trialName' | 'long';

/** fieldTrouble says what is wrong with one field of the form. */
export function fieldTrouble(kind: RegistrationKind, field: RegistrationField, values: Values): FieldTrouble | null {
  const value = (values[field] ?? '').trim();
  if (value === '') return isOptional(kind, field) ? null : 'missing';
  if ([...value].length > (field === 'biz_id' ? 128 : 200)) return 'long';
  if (field === 'code' && !/^[0-9A-Z]{18}$/.test(value)) return 'code';
  if (field === 'phone' && !/^[0-9+ -]{5,20}$/.test(value)) return 'phone';
  if (field === 'name' && kind === 'trial' && (textWidth(value) < 4 || textWidth(value) > 30)) return 'trialName';
  return null;
}

/** requestOf is what is sent: the fields of the kind that hold something. */
export function requestOf(kind: RegistrationKind, values: Values): Values {
  return Object.fromEntries(
    fieldsOf(kind).flatMap((field) => {
      const value = (values[field] ?? '').trim();
      return value === '' ? [] : [[field, value]];
    }),
  );
}

export const registrationStates = [
  'pending',
  'sent',
  'waiting',
  'created',
  'completed',
  'failed',
  'expired',
  'canceled',
] as const;
export type RegistrationState = (typeof registrationStates)[number];

export function registrationTone(state: RegistrationState): Tone {
  switch (state) {
    case 'pending':
      return 'idle';
    case 'sent':
    case 'created':
      return 'working';
    case 'waiting':
      return 'action';
    case 'completed':
      return 'good';
    case 'failed':
      return 'bad';
    default:
      return 'ended';
  }
}

export type RegistrationAction = 'check' | 'retry' | 'assign' | 'cancel';

/** registrationActions lists what an operator may do, the most likely first. */
export function registrationActions(kind: RegistrationKind, state: RegistrationState): RegistrationAction[] {
  const assign: RegistrationAction[] = converts(kind) ? [] : ['assign'];
  switch (state) {
    case 'pending':
    case 'sent':
      return isVisited(kind) ? [...assign, 'cancel'] : ['check', 'cancel'];
    case 'waiting':
      return isVisited(kind) ? [...assign, 'cancel'] : ['check', ...assign, 'cancel'];
    case 'created':
      return ['check', ...assign, 'cancel'];
    case 'completed':
      return [];
    default:
      return ['retry', ...assign];
  }
}

/** detailOf is what the numbers of WeChat add to the state: nothing where the state has told all already. */
export function detailOf(r: { state: RegistrationState; status: number | null; detail: string }): string {
  return r.state === 'created' || (r.state === 'waiting' && r.status === 0) ? '' : r.detail;
}

/** ownerOf is whose mini program it is to be, from what WeChat was told. */
export function ownerOf(request: Record<string, string> | null | undefined): string {
  for (const name of ['name', 'enterprise_name', 'idname', 'openid', 'appid']) {
    const value = request?.[name];
    if (value) return value;
  }
  return '';
}
