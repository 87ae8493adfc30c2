/** Part is a piece of a body with what it is, for its colour. */
export interface Part {
  kind: 'plain' | 'name' | 'text' | 'number' | 'mark';
  text: string;
}

/** Beyond this many characters a body is shown in one colour: thousands of elements make the page slow. */
const mostColoured = 200_000;

const jsonToken = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[{}[\],:]/g;

/** jsonParts indents JSON by its tokens, so that numbers with more digits than JavaScript knows stay as they are. */
function jsonParts(text: string): Part[] | null {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  const tokens = text.match(jsonToken) ?? [];
  const parts: Part[] = [];
  let depth = 0;
  const line = () => parts.push({ kind: 'plain', text: `\n${'  '.repeat(depth)}` });
  tokens.forEach((token, i) => {
    const next = tokens[i + 1];
    switch (token) {
      case '{':
      case '[':
        parts.push({ kind: 'mark', text: token });
        if (next === '}' || next === ']') return;
        depth++;
        line();
        return;
      case '}':
      case ']':
        if (tokens[i - 1] !== '{' && tokens[i - 1] !== '[') {
          depth--;
          line();
        }
        parts.push({ kind: 'mark', text: token });
        return;
      case ',':
        parts.push({ kind: 'mark', text: token });
        line();
        return;
      case ':':
        parts.push({ kind: 'mark', text: ': ' });
        return;
    }
    if (!token.startsWith('"')) {
      parts.push({ kind: 'number', text: token });
      return;
    }
    // Escapes of letters are undone, so that Chinese can be read.
    parts.push({ kind: next === ':' ? 'name' : 'text', text: JSON.stringify(JSON.parse(token)) });
  });
  return parts;
}

const xmlToken = /<!\[CDATA\[[\s\S]*?\]\]>|<[^>]+>|[^<]+/g;
const cdataBegin = '<![CDATA[';
const cdataEnd = ']]>';

/** xmlParts breaks XML at its elements; texts stay on the line of theirs. */
function xmlParts(text: string): Part[] {
  const parts: Part[] = [];
  let depth = 0;
  let open = false; // the last tag was an opening one, so its text or end stays on the line
  const line = () => {
    if (parts.length > 0) parts.push({ kind: 'plain', text: `\n${'  '.repeat(depth)}` });
  };
  for (const token of text.replace(/>\s+</g, '><').match(xmlToken) ?? []) {
    if (token.startsWith(cdataBegin)) {
      parts.push({ kind: 'mark', text: cdataBegin });
      parts.push({ kind: 'text', text: token.slice(cdataBegin.length, -cdataEnd.length) });
      parts.push({ kind: 'mark', text: cdataEnd });
    } else if (!token.startsWith('<')) {
      parts.push({ kind: /^\s*-?\d+\s*$/.test(token) ? 'number' : 'text', text: token });
    } else if (token.startsWith('</')) {
      depth = Math.max(0, depth - 1);
      if (!open) line();
      parts.push({ kind: 'name', text: token });
      open = false;
    } else {
      line();
      parts.push({ kind: 'name', text: token });
      open = !token.endsWith('/>') && !token.startsWith('<?') && !token.startsWith('<!');
      if (open) depth++;
    }
  }
  return parts;
}

/** bodyParts lays a body out for reading: JSON and XML indented, anything else as it is. */
export function bodyParts(body: string): Part[] {
  const trimmed = body.trim();
  const parts =
    trimmed.startsWith('{') || trimmed.startsWith('[')
      ? jsonParts(trimmed)
      : trimmed.startsWith('<')
        ? xmlParts(trimmed)
        : null;
  if (!parts) return [{ kind: 'plain', text: body }];
  return trimmed.length > mostColoured ? [{ kind: 'plain', text: parts.map((p) => p.text).join('') }] : parts;
}

/** prettyBody is bodyParts as one text. */
export function prettyBody(body: string): string {
  return bodyParts(body)
    .map((p) => p.text)
    .join('');
}
