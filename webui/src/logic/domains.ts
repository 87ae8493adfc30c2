/** difference says what only one of the platform's two copies has. */
export function difference(testing: readonly string[], published: readonly string[]) {
  return {
    onlyTesting: testing.filter((d) => !published.includes(d)),
    onlyPublished: published.filter((d) => !testing.includes(d)),
  };
}
