import type { CloudEnvs, CloudShare, CloudVersion } from '../api/types';
import type { Tone } from './states';

export type CloudKind = 'cloudbase' | 'cloudrun';
export const cloudKinds: readonly CloudKind[] = ['cloudbase', 'cloudrun'];

export const shareStates = ['pending', 'sent', 'waiting', 'confirmed', 'failed', 'expired', 'ended'] as const;

const tones: Record<CloudShare['state'], Tone> = {
  pending: 'working',
  sent: 'working',
  waiting: 'action',
  confirmed: 'good',
  failed: 'bad',
  expired: 'ended',
  ended: 'ended',
};

export function shareTone(state: CloudShare['state']): Tone {
  return tones[state] ?? 'idle';
}

/** mayAskAgain: whoever uses the environment, or is being asked at this moment, is not asked again. */
export function mayAskAgain(state: CloudShare['state']): boolean {
  return state === 'waiting' || state === 'failed' || state === 'expired' || state === 'ended';
}

type Evidence = CloudEnvs['evidence'];

/** seen says that a call was seen in use and is on no official page. */
export function seen(evidence: Evidence | undefined, what: 'list' | 'create' | 'share', kind: CloudKind): boolean {
  return evidence?.[`${what}_${kind}`] === 'code';
}

/** aliasFits: small letters, digits and hyphens, as WeChat takes them. */
export function aliasFits(alias: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,63}$/.test(alias);
}

/** pathLines reads a whitelist, one path a line; badPath is the first that is none. */
export function pathLines(text: string): string[] {
  return [...new Set(text.split(/\s+/).filter((line) => line !== ''))];
}

export function badPath(paths: readonly string[]): string | undefined {
  return paths.find((path) => !path.startsWith('/'));
}

/** words splits a list typed with commas or spaces between. */
export function words(text: string): string[] {
  return [...new Set(text.split(/[\s,，;；]+/).filter((word) => word !== ''))];
}

/** momentOf reads a time of WeChat's, which is seconds or words; words stay as they are. */
export function momentOf(text: string): string {
  return /^\d{10}$/.test(text) ? new Date(Number(text) * 1000).toISOString() : text;
}

/** takesCalls: a version that is not there yet, or not any more, takes none. The states are WeChat's words and not all known. */
export function takesCalls({ status }: Pick<CloudVersion, 'status'>): boolean {
  return !/fail|creating|building|deleting/.test(status);
}

/** percents are the versions' shares of the calls as typed, and what they add up to. */
export function percents(versions: readonly Pick<CloudVersion, 'name' | 'percent'>[], typed: Record<string, string>) {
  const percent: Record<string, number> = {};
  for (const v of versions) {
    const text = typed[v.name] ?? String(v.percent);
    percent[v.name] = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  }
  return { percent, sum: Object.values(percent).reduce((sum, p) => sum + p, 0) };
}
