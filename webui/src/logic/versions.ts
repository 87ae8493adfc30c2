import type { LiveVersion } from '../api/types';

export interface VersionShare {
  /** version is empty for merchants without one, or of which it is not known. */
  version: string;
  merchants: number;
  percent: number;
}

/** shares adds up what is the same version made of different templates; the order stays, the unknown goes last. */
export function shares(list: readonly LiveVersion[]): VersionShare[] {
  const count = new Map<string, number>();
  for (const v of list) count.set(v.user_version, (count.get(v.user_version) ?? 0) + v.merchants);
  const all = [...count.values()].reduce((a, b) => a + b, 0);
  const rows = [...count].map(([version, merchants]) => ({
    version,
    merchants,
    percent: all === 0 ? 0 : Math.round((merchants / all) * 100),
  }));
  return [...rows.filter((r) => r.version !== ''), ...rows.filter((r) => r.version === '')];
}

/** most is the known version that most merchants have. */
export function most(rows: readonly VersionShare[]): VersionShare | undefined {
  return rows.filter((r) => r.version !== '').sort((a, b) => b.merchants - a.merchants)[0];
}
