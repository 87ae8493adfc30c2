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

/** secureImage lifts the http: picture addresses that WeChat hands out to https:, where the same pictures are. */
export function secureImage(url: string): string {
  return url.replace(/^http:\/\/([^/]*\.(?:qlogo|qpic)\.cn\/)/, 'https://$1');
}
