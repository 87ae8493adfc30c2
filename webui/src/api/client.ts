import createClient, { type Middleware } from 'openapi-fetch';
import { Problem, problemFrom } from './problem';
import type { paths } from './schema';

let language = 'zh-CN';

/** setApiLanguage decides the language of hints and messages that the server writes. */
export function setApiLanguage(lang: string) {
  language = lang;
}

const signedOut = new Set<() => void>();

/** onSignedOut calls back whenever an answer says that the session is over; it returns how to stop that. */
export function onSignedOut(listener: () => void): () => void {
  signedOut.add(listener);
  return () => void signedOut.delete(listener);
}

export function cookie(name: string, jar = document.cookie): string {
  for (const part of jar.split(';')) {
    const at = part.indexOf('=');
    if (at > 0 && part.slice(0, at).trim() === name) {
      return decodeURIComponent(part.slice(at + 1).trim());
    }
  }
  return '';
}

const conventions: Middleware = {
  onRequest({ request }) {
    request.headers.set('Accept-Language', language);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      request.headers.set('X-CSRF-Token', cookie('csrf'));
    }
    return request;
  },
};

export const api = createClient<paths>({ baseUrl: '/api/v1', credentials: 'same-origin' });
api.use(conventions);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** call unwraps an answer: the data, or a thrown Problem. */
export async function call<T>(pending: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await pending;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new Problem({ status: 0, code: 'network', title: '', detail: cause instanceof Error ? cause.message : '' });
  }
  if (answer.response.ok) return answer.data as T;
  const problem = problemFrom(answer.response, answer.error);
  if (problem.status === 401 && problem.code !== 'totp_required') {
    for (const listener of signedOut) listener();
  }
  throw problem;
}

/** request is for what our OpenAPI does not describe: images, and the simulator's controls. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set('Accept-Language', language);
  if (init.method && init.method !== 'GET') headers.set('X-CSRF-Token', cookie('csrf'));
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers, credentials: 'same-origin' });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new Problem({ status: 0, code: 'network', title: '', detail: cause instanceof Error ? cause.message : '' });
  }
  if (!response.ok) {
    const text = await response.text();
    let body: unknown = text;
    try {
      body = JSON.parse(text);
    } catch {
      // Not JSON: problemFrom keeps the text.
    }
    throw problemFrom(response, body);
  }
  return response;
}

/** newIdempotencyKey works on plain http as well, where crypto.randomUUID does not exist. */
export function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}
