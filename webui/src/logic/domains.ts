/** difference says what only one of the platform's two copies has. */
export function difference(testing: readonly string[], published: readonly string[]) {
  return {
    onlyTesting: testing.filter((d) => !published.includes(d)),
    onlyPublished: published.filter((d) => !testing.includes(d)),
  };
}

interface Lists {
  server?: readonly string[] | null;
  webview?: readonly string[] | null;
}

/** sameDomains reports whether nobody changed a list of the platform's, in whatever order WeChat names them. */
export function sameDomains(before: Lists, now: Lists): boolean {
  const text = (list: readonly string[] | null | undefined) => [...(list ?? [])].sort().join('\n');
  return text(before.server) === text(now.server) && text(before.webview) === text(now.webview);
}
