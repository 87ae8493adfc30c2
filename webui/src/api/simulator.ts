import { queryOptions } from '@tanstack/react-query';
import { request } from './client';
import { keys } from './queries';

// The simulator's controls are no part of our API: this is the part of their answers that the page shows.
const controls = '/simulator/_control';

export interface SimVersion {
  user_version: string;
  user_desc: string;
}

export interface SimAudit {
  audit_id: number;
  appid: string;
  nick_name: string;
  user_version: string;
  user_desc: string;
  /** 0 approved, 1 rejected, 2 in review, 3 withdrawn, 4 delayed */
  status: number;
  reason: string;
  submitted_at: number;
  sped_up: boolean;
  console: boolean;
  missing_privacy: string[] | null;
}

export interface SimMerchant {
  appid: string;
  nick_name: string;
  head_img: string;
  authorized: boolean;
  trial: SimVersion | null;
  audit: SimAudit | null;
  live: SimVersion | null;
  /** console_audit runs and was submitted past this platform. */
  console_audit: SimAudit | null;
  /** gray is 0 for none, 1 under way, 2 paused, 3 over, 4 taken back. */
  gray: { status: number; gray_percentage: number };
}

export interface SimCall {
  seq: number;
  at: string;
  method: string;
  path: string;
  appid: string;
  errcode: number;
  rid: string;
  executed: boolean;
  fault?: string;
  ms: number;
}

export interface SimPush {
  id: number;
  at: string;
  channel: string;
  appid: string;
  type: string;
  state: string;
  attempts: { status: number; body: string; error?: string }[] | null;
}

export interface SimFault {
  id: number;
  path: string;
  appid: string;
  times: number;
  mode: string;
  code: number;
}

export interface SimState {
  ticket_at: string | null;
  settings: { ticket_push: boolean; audit_rest: number; speedup_rest: number };
  merchants: SimMerchant[] | null;
  audits: SimAudit[] | null;
  pushes: SimPush[] | null;
  calls: SimCall[] | null;
  unknown: Record<string, number> | null;
  faults: SimFault[] | null;
  next_events: string[] | null;
}

/** reviewable says that the reviewer can still decide: in review or delayed, and not submitted elsewhere. */
export function reviewable(audit: SimAudit): boolean {
  return (audit.status === 2 || audit.status === 4) && !audit.console;
}

export const simulatorQuery = queryOptions({
  queryKey: keys.simulator,
  // What only the simulator knows (calls, faults) brings no live event.
  refetchInterval: 3000,
  queryFn: async ({ signal }): Promise<SimState> => (await request(`${controls}/state`, { signal })).json(),
});

/** control does something as WeChat, a merchant or a reviewer. */
export async function control(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<void> {
  await request(`${controls}/${path}`, {
    method,
    headers: body === undefined ? undefined : { 'Content-Type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}
