type Fields = Record<string, unknown>;

function first(version: Fields, names: readonly string[]): unknown {
  for (const name of names) {
    const value = version[name];
    if (value !== undefined && value !== null && value !== '' && value !== 0) return value;
  }
  return undefined;
}

/** versionFacts reads one version slot, whether its fields carry WeChat's names or plain ones. */
export function versionFacts(
  version: Fields | null | undefined,
): { version: string; desc: string; time: string } | null {
  if (!version || Object.keys(version).length === 0) return null;
  const at = first(version, [
    'time',
    'at',
    'exp_time',
    'release_time',
    'submit_audit_time',
    'submitted_at',
    'committed_at',
    'released_at',
  ]);
  return {
    version: String(first(version, ['user_version', 'version', 'exp_version', 'release_version']) ?? ''),
    desc: String(first(version, ['user_desc', 'desc', 'exp_desc', 'release_desc']) ?? ''),
    time: typeof at === 'number' ? new Date(at * 1000).toISOString() : typeof at === 'string' ? at : '',
  };
}

/** networkLists gives the lists of domains that are not empty, by the name they came with. */
export function networkLists(network: Fields | null | undefined): [string, string[]][] {
  return Object.entries(network ?? {}).flatMap(([name, list]): [string, string[]][] =>
    Array.isArray(list) && list.length > 0 ? [[name, list.map(String)]] : [],
  );
}

/** flags are WeChat's switches, written as booleans or as 0 and 1, in their order. */
export function flags(fields: Fields | null | undefined): [string, boolean][] {
  return Object.entries(fields ?? {}).flatMap(([name, value]): [string, boolean][] =>
    typeof value === 'boolean' || value === 0 || value === 1 ? [[name, Boolean(value)]] : [],
  );
}

/** specialIds are what an account is besides, each with WeChat's id where there is one. */
export function specialIds(fields: Fields | null | undefined): [string, string][] {
  return Object.entries(fields ?? {}).flatMap(([name, value]): [string, string][] => {
    if (value === null || value === undefined || value === '' || value === false) return [];
    if (typeof value !== 'object') return [[name, value === true ? '' : String(value)]];
    const inner = Object.values(value).filter((v) => typeof v === 'string' || typeof v === 'number');
    return [[name, inner.map(String).join(' ')]];
  });
}
