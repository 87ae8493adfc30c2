import type { NoticeChannel } from '../api/types';

export type ChannelKind = NoticeChannel['kind'];

export const channelKinds = ['wecom', 'dingtalk', 'feishu', 'webhook'] as const;

/** noticeEvents are what a channel can be told of, the most urgent first. */
export const noticeEvents = [
  'ticket_stale',
  'rule_paused',
  'dead_letter',
  'rollout_paused',
  'audit_result',
  'rollout_done',
  'authorization_withdrawn',
] as const;
export type NoticeEvent = (typeof noticeEvents)[number];

/** ChannelForm is a channel as it is typed. */
export interface ChannelForm {
  kind: ChannelKind;
  name: string;
  /** url and secret are never told by the server; empty: as they are. */
  url: string;
  secret: string;
  language: NoticeChannel['language'];
  events: string[];
  enabled: boolean;
}

export const emptyChannel: ChannelForm = {
  kind: 'wecom',
  name: '',
  url: '',
  secret: '',
  language: 'zh-CN',
  events: [...noticeEvents],
  enabled: true,
};

export function channelForm(channel: NoticeChannel): ChannelForm {
  const { kind, name, language, enabled } = channel;
  return { kind, name, language, enabled, events: [...(channel.events ?? [])], url: '', secret: '' };
}

/** takesSecret tells the robots that are given a secret by hand; that of a webhook is made by the server. */
export function takesSecret(kind: ChannelKind): kind is 'dingtalk' | 'feishu' {
  return kind === 'dingtalk' || kind === 'feishu';
}

export interface ChannelFaults {
  name?: 'name';
  url?: 'url';
  events?: 'events';
}

/** channelFaults says what is missing; the address of a channel that exists may be left out. */
export function channelFaults(form: ChannelForm, exists: boolean): ChannelFaults {
  const faults: ChannelFaults = {};
  if (form.name.trim() === '') faults.name = 'name';
  const url = form.url.trim();
  if (url === '' ? !exists : !/^https?:\/\/[^/\s]+/i.test(url) || !URL.canParse(url)) faults.url = 'url';
  if (form.events.length === 0) faults.events = 'events';
  return faults;
}

/** channelBody is what is sent; what was left empty is left out. */
export function channelBody(form: ChannelForm) {
  return {
    name: form.name.trim(),
    enabled: form.enabled,
    language: form.language,
    events: noticeEvents.filter((e) => form.events.includes(e)),
    ...(form.url.trim() !== '' && { url: form.url.trim() }),
    ...(takesSecret(form.kind) && form.secret.trim() !== '' && { secret: form.secret.trim() }),
  };
}

const robotHosts: readonly (readonly [string, ChannelKind])[] = [
  ['qyapi.weixin.qq.com', 'wecom'],
  ['oapi.dingtalk.com', 'dingtalk'],
  ['open.feishu.cn', 'feishu'],
  ['open.larksuite.com', 'feishu'],
];

/** kindOfUrl recognises a robot by its address, so that one pasted under another kind is noticed. */
export function kindOfUrl(url: string): ChannelKind | undefined {
  const host = /^https?:\/\/([^/:?#]+)/i.exec(url.trim())?.[1]?.toLowerCase();
  return robotHosts.find(([name]) => name === host)?.[1];
}
