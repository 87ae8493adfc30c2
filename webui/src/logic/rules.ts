import type { Rule, RuleCreate, RuleStat } from '../api/types';
import type { Tone } from './states';

export const appidMark = '$APPID$';
/** sampleAppid stands for a merchant where an address is shown as it will be called. */
const sampleAppid = 'wx0123456789abcdef';

export type Mode = Rule['mode'];

/** RuleForm is a rule as it is typed. */
export interface RuleForm {
  name: string;
  channel: Rule['channel'];
  infoType: string;
  msgType: string;
  event: string;
  /** some: only the merchants in appids. */
  some: boolean;
  appids: string[];
  target: string;
  mode: Mode;
  format: Rule['format'];
  /** timeout in milliseconds as typed; empty: the default. */
  timeout: string;
}

export const emptyRule: RuleForm = {
  name: '',
  channel: 'biz',
  infoType: '',
  msgType: '',
  event: '',
  some: false,
  appids: [],
  target: '',
  mode: 'deliver',
  format: 'json',
  timeout: '',
};

export function formOf(rule: Rule): RuleForm {
  const appids = rule.appids ?? [];
  return {
    name: rule.name,
    channel: rule.channel,
    infoType: rule.info_type,
    msgType: rule.msg_type,
    event: rule.event,
    some: appids.length > 0,
    appids,
    target: rule.target_url,
    mode: rule.mode,
    format: rule.format,
    timeout: String(rule.timeout_ms),
  };
}

export const defaultTimeout: Record<Mode, number> = { deliver: 10_000, relay: 4000 };
export const longestTimeout: Record<Mode, number> = { deliver: 25_000, relay: 4500 };

/** bodyOf is what is sent; fields that the channel does not have are empty. */
export function bodyOf(form: RuleForm): RuleCreate {
  const component = form.channel === 'component';
  return {
    name: form.name.trim(),
    channel: form.channel,
    info_type: component ? form.infoType.trim() : '',
    msg_type: component ? '' : form.msgType.trim(),
    event: component ? '' : form.event.trim(),
    appids: form.some ? form.appids : [],
    target_url: form.target.trim(),
    mode: form.mode,
    format: form.format,
    timeout_ms: form.timeout.trim() === '' ? defaultTimeout[form.mode] : Number(form.timeout),
  };
}

export type TargetFault = 'targetEmpty' | 'target' | 'targetHost' | 'targetUser' | 'targetHash';

/** targetFault says what is wrong with a target address; the server looks at where it leads as well. */
export function targetFault(text: string): TargetFault | undefined {
  const target = text.trim();
  if (target === '') return 'targetEmpty';
  const parts = /^(https?):\/\/([^/?#]*)([^#]*)(#.*)?$/i.exec(target);
  if (!parts) return 'target';
  const [, , host = '', , hash] = parts;
  if (host.includes(appidMark)) return 'targetHost';
  if (host.includes('@')) return 'targetUser';
  if (hash !== undefined) return 'targetHash';
  if (host === '' || /\s/.test(target) || !URL.canParse(target)) return 'target';
  return undefined;
}

/** calledAt is a target address as it is called for one merchant. */
export function calledAt(target: string, appid = sampleAppid): string {
  const [path = '', query] = target.trim().split(/\?(.*)/s);
  const filled = path.replaceAll(appidMark, encodeURIComponent(appid));
  return query === undefined ? filled : `${filled}?${query.replaceAll(appidMark, encodeURIComponent(appid))}`;
}

export interface RuleFaults {
  name?: 'name';
  target?: TargetFault;
  appids?: 'merchants';
  timeout?: 'timeout';
  mode?: 'componentRelay';
}

export function ruleFaults(form: RuleForm): RuleFaults {
  const faults: RuleFaults = {};
  const name = [...form.name.trim()].length;
  if (name < 1 || name > 100) faults.name = 'name';
  const target = targetFault(form.target);
  if (target) faults.target = target;
  if (form.some && form.appids.length === 0) faults.appids = 'merchants';
  const timeout = form.timeout.trim();
  if (timeout !== '' && (!/^\d+$/.test(timeout) || +timeout < 1 || +timeout > longestTimeout[form.mode])) {
    faults.timeout = 'timeout';
  }
  if (form.channel === 'component' && form.mode === 'relay') faults.mode = 'componentRelay';
  return faults;
}

export type RuleState = 'on' | 'off' | 'paused' | 'failing';

/** ruleState is how a rule is; the API calls one that has paused by itself not enabled. */
export function ruleState(rule: Pick<Rule, 'enabled' | 'paused_at' | 'failing_since'>): RuleState {
  if (rule.paused_at) return 'paused';
  if (!rule.enabled) return 'off';
  return rule.failing_since ? 'failing' : 'on';
}

export function ruleTone(state: RuleState): Tone {
  return { on: 'good', off: 'ended', paused: 'bad', failing: 'action' }[state] as Tone;
}

export interface Rates {
  calls: number;
  delivered: number;
  failed: number;
  dead: number;
  /** percent of the calls that succeeded, null when there was none. */
  percent: number | null;
  avgMs: number | null;
  maxMs: number | null;
}

/** ratesOf sums up a chart. */
export function ratesOf(items: readonly RuleStat[]): Rates {
  let delivered = 0;
  let failed = 0;
  let dead = 0;
  let total = 0;
  let max = 0;
  for (const s of items) {
    delivered += s.delivered;
    failed += s.failed;
    dead += s.dead;
    total += s.avg_ms * (s.delivered + s.failed);
    max = Math.max(max, s.max_ms);
  }
  const calls = delivered + failed;
  if (calls === 0) return { calls, delivered, failed, dead, percent: null, avgMs: null, maxMs: null };
  // 99.96 % is not all of them.
  const percent = failed === 0 ? 100 : Math.min(99.9, Math.round((delivered / calls) * 1000) / 10);
  return { calls, delivered, failed, dead, percent, avgMs: Math.round(total / calls), maxMs: max };
}

/** counted writes a number that was counted only so far: "1000+". */
export function counted(n: number, countedTo: number, language: string): string {
  return new Intl.NumberFormat(language).format(n) + (n >= countedTo ? '+' : '');
}

/** milliseconds writes a time taken: "85 ms", "1.2 s"; what rounds to nothing is "<1 ms". */
export function milliseconds(ms: number, language: string): string {
  if (ms < 1) return `<${milliseconds(1, language)}`;
  const unit = ms < 1000 ? 'millisecond' : 'second';
  const value = ms < 1000 ? ms : ms / 1000;
  return new Intl.NumberFormat(language, {
    style: 'unit',
    unit,
    unitDisplay: 'short',
    maximumFractionDigits: ms < 1000 ? 0 : 1,
  }).format(value);
}

/** upstreamFault reports whether an upstream of the proxy has a wrong form. */
export function upstreamFault(text: string): boolean {
  const upstream = text.trim();
  if (upstream === '') return false;
  return !/^https?:\/\/[^/?#@\s]+(\/[^?#\s]*)?$/i.test(upstream) || !URL.canParse(upstream);
}

/** hostOf is the part of an address that tells readers where it leads. */
export function hostOf(target: string): string {
  return /^https?:\/\/([^/?#]+)/i.exec(target)?.[1] ?? target;
}
