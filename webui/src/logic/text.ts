/** plainLines turns a reviewer's reason, which WeChat sends as HTML with <br>, into lines of plain text. */
export function plainLines(html: string): string[] {
  return html
    .replace(/<\s*(br|\/p|\/div|\/li)[^>]*>/gi, '\n')
    .replace(/<[^>]*>/g, '')
    .replace(/&nbsp;/gi, ' ')
    .replace(/&lt;/gi, '<')
    .replace(/&gt;/gi, '>')
    .replace(/&quot;/gi, '"')
    .replace(/&#39;|&apos;/gi, "'")
    .replace(/&amp;/gi, '&')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** splitList reads lines, commas and semicolons as a list without blanks and doubles. */
export function splitList(text: string): string[] {
  return [...new Set(text.split(/[\s,;，；、]+/).filter((part) => part !== ''))];
}

/** prettyBody indents JSON, breaks XML at its elements and leaves anything else alone. */
export function prettyBody(body: string): string {
  const trimmed = body.trim();
  if (trimmed.startsWith('{') || trimmed.startsWith('[')) {
    try {
      return JSON.stringify(JSON.parse(trimmed), null, 2);
    } catch {
      return body;
    }
  }
  if (!trimmed.startsWith('<')) return body;
  let depth = 0;
  const tokens = trimmed.replace(/>\s+</g, '><').match(/<!\[CDATA\[[\s\S]*?\]\]>|<[^>]+>|[^<]+/g) ?? [];
  let out = '';
  let open = false; // the last tag was an opening one, so its text or end stays on the line
  for (const token of tokens) {
    if (token.startsWith('<![CDATA[') || !token.startsWith('<')) {
      out += token;
    } else if (token.startsWith('</')) {
      depth = Math.max(0, depth - 1);
      out += open ? token : `\n${'  '.repeat(depth)}${token}`;
      open = false;
    } else {
      out += `${out === '' ? '' : '\n'}${'  '.repeat(depth)}${token}`;
      if (token.endsWith('/>') || token.startsWith('<?')) {
        open = false;
      } else {
        depth++;
        open = true;
      }
    }
  }
  return out;
}

/** secureImage lifts the http: picture addresses that WeChat hands out to https:, where the same pictures are. */
export function secureImage(url: string): string {
  return url.replace(/^http:\/\/([^/]*\.(?:qlogo|qpic)\.cn\/)/, 'https://$1');
}
