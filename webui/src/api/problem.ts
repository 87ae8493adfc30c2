export interface FieldProblem {
  location: string;
  message: string;
}

export interface WeChatRefusal {
  errcode: number;
  errmsg: string;
  rid?: string;
  hint?: string;
}

interface Parts {
  status: number;
  code: string;
  title: string;
  detail: string;
  errors?: FieldProblem[];
  wechat?: WeChatRefusal;
  retryAfterSeconds?: number;
  requestId?: string;
}

/** Problem is a failed call in the shape of RFC 9457, as our API answers it. Status 0: the server was not reached. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly errors: FieldProblem[];
  readonly wechat?: WeChatRefusal;
  readonly retryAfterSeconds?: number;
  readonly requestId?: string;

  constructor(parts: Parts) {
    super(parts.detail || parts.title || parts.code);
    this.name = 'Problem';
    this.status = parts.status;
    this.code = parts.code;
    this.title = parts.title;
    this.detail = parts.detail;
    this.errors = parts.errors ?? [];
    this.wechat = parts.wechat;
    this.retryAfterSeconds = parts.retryAfterSeconds;
    this.requestId = parts.requestId;
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

/** problemFrom reads a failed answer leniently: a proxy in front of us may have written it. */
export function problemFrom(response: { status: number; headers: Headers }, body: unknown): Problem {
  const fields = record(body) ?? {};
  const wechat = record(fields.wechat);
  const retry = Number(response.headers.get('Retry-After'));
  return new Problem({
    status: response.status,
    code: text(fields.code) || `http_${response.status}`,
    title: text(fields.title),
    detail: text(fields.detail),
    errors: Array.isArray(fields.errors)
      ? fields.errors.flatMap((e) => {
          const f = record(e);
          return f ? [{ location: text(f.location), message: text(f.message) }] : [];
        })
      : [],
    wechat: wechat
      ? {
          errcode: Number(wechat.errcode) || 0,
          errmsg: text(wechat.errmsg),
          rid: text(wechat.rid),
          hint: text(wechat.hint),
        }
      : undefined,
    retryAfterSeconds: Number.isFinite(retry) && retry > 0 ? retry : undefined,
    requestId: response.headers.get('X-Request-Id') ?? undefined,
  });
}

/** asProblem turns anything thrown into a Problem, so that every error is shown the same way. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  return new Problem({
    status: 0,
    code: 'ui',
    title: '',
    detail: thrown instanceof Error ? thrown.message : String(thrown),
  });
}

/**
 * fieldErrors sorts the errors of a 422 by the field of the request body they speak of: "body.domains.request[0]"
 * belongs to "domains.request" when the form has such a field, else to "domains", else to "".
 */
export function fieldErrors(problem: Problem, fields: readonly string[]): Record<string, string> {
  const byField: Record<string, string> = {};
  for (const error of problem.errors) {
    const path = error.location.replace(/^body\.?/, '');
    const owner =
      fields
        .filter((f) => path === f || path.startsWith(`${f}.`) || path.startsWith(`${f}[`))
        .sort((a, b) => b.length - a.length)[0] ?? '';
    const message = owner === '' && path !== '' ? `${path}: ${error.message}` : error.message;
    byField[owner] = byField[owner] ? `${byField[owner]}; ${message}` : message;
  }
  return byField;
}
