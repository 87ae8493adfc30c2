import type { paths } from './schema';

// Every type here is read from the generated paths, never written by hand.
type Json<R> = R extends { content: { 'application/json': infer T } } ? T : never;
type Success<O> = O extends { responses: infer R } ? Json<R[Extract<keyof R, 200 | 201 | 202>]> : never;
type Get<P extends keyof paths> = Success<paths[P]['get']>;
type Item<P extends keyof paths> =
  Get<P> extends { items: infer I } ? (NonNullable<I> extends (infer E)[] ? E : never) : never;
type Body<O> = O extends { requestBody: { content: { 'application/json': infer B } } } ? B : never;

export type Meta = Get<'/meta'>;
export type Session = Get<'/session'>;
export type Role = Session['user']['role'];
export type Component = Get<'/component'>;
export type ComponentUpdate = Body<paths['/component']['put']>;
export type CheckResult = Success<paths['/component/check']['post']>;
export type PlatformDomains = Get<'/component/domains'>;
export type Link = Item<'/authorization-links'>;
export type Registration = Item<'/registrations'>;
export type RegistrationCreate = Body<paths['/registrations']['post']>;
export type Change = Item<'/authorizers/{appid}/changes'>;
export type Tester = Item<'/authorizers/{appid}/testers'>;
export type BasicInfo = Get<'/authorizers/{appid}/basic-info'>;
export type Categories = Get<'/authorizers/{appid}/categories'>;
export type IcpFiling = Get<'/authorizers/{appid}/icp'>;
export type PrivacyInterface = Item<'/authorizers/{appid}/privacy-interfaces'>;
export type LinkCreate = Body<paths['/authorization-links']['post']>;
export type Authorizer = Item<'/authorizers'>;
export type AuthorizerDetail = Get<'/authorizers/{appid}'>;
export type AuthorizerPatch = Body<paths['/authorizers/{appid}']['patch']>;
export type Sync = Get<'/authorizers/sync/{id}'>;
export type SyncItem = Item<'/authorizers/sync'>;
export type LabelCount = Item<'/authorizers/labels'>;
export type LabelChange = Body<paths['/authorizers/labels']['post']>;
export type LabelResult = Success<paths['/authorizers/labels']['post']>;
export type Import = Get<'/authorizers/imports/{id}'>;
export type ImportItem = Item<'/authorizers/imports'>;
export type Note = Item<'/authorizers/{appid}/notes'>;
export type Happening = Item<'/authorizers/{appid}/timeline'>;
export type Versions = Get<'/authorizers/{appid}/versions'>;
export type Message = Item<'/messages'>;
export type MessageDetail = Get<'/messages/{id}'>;
export type Draft = Item<'/template-drafts'>;
export type Template = Item<'/templates'>;
export type Rollout = Get<'/rollouts/{id}'>;
export type LeftOut = Success<paths['/rollouts/{id}/retry-failed']['post']>['left_out'][number];
export type RolloutRequest = Body<paths['/rollouts']['post']>;
export type Strategy = NonNullable<RolloutRequest['strategy']>;
export type Targets = RolloutRequest['targets'];
export type Preflight = Get<'/preflights/{id}'>;
export type PreflightItem = Item<'/preflights/{id}/items'>;
export type Blocker = NonNullable<PreflightItem['blockers']>[number];
export type Preview = Success<paths['/rollouts/preview']['post']>;
export type DomainProfile = Item<'/domain-profiles'>;
export type PrivacyProfile = Item<'/privacy-profiles'>;
export type LiveVersion = Item<'/live-versions'>;
export type LiveMerchant = Item<'/live-versions/authorizers'>;
export type Category = NonNullable<Get<'/authorizers/{appid}/categories'>['items']>[number];
export type Submission = Get<'/submissions/{id}'>;
export type SubmissionItem = Item<'/submissions'>;
export type Step = NonNullable<Submission['steps']>[number];
export type CanaryHold = NonNullable<Rollout['canary_hold']>;
export type RolloutChange = Body<paths['/rollouts/{id}']['patch']>;
export type Release = NonNullable<RolloutRequest['release']>;
export type Audit = Item<'/audits'>;
export type AuditFilter = Omit<NonNullable<paths['/audits']['get']['parameters']['query']>, 'cursor'>;
export type AuditSummary = Get<'/audits/summary'>;
export type RejectionReason = NonNullable<AuditSummary['reasons']>[number];
export type AuditChange = NonNullable<Body<paths['/submissions/resubmit']['post']>['audit']>;
export type ManyAnswer = Success<paths['/submissions/bulk']['post']>;
export type ManyAction = Body<paths['/submissions/bulk']['post']>['action'];
export type AuditMedia = Success<paths['/audit-media']['post']>;
export type Rule = Get<'/forward-rules/{id}'>;
export type RuleCreate = Body<paths['/forward-rules']['post']>;
export type RuleOverview = Item<'/forward-rules/overview'>;
export type RuleStat = Item<'/forward-rules/{id}/stats'>;
export type RuleTest = Success<paths['/forward-rules/{id}/test']['post']>;
export type Delivery = Item<'/deliveries'>;
export type NoticeChannel = Item<'/notice-channels'>;
export type NoticeChannelCreate = Body<paths['/notice-channels']['post']>;
export type NoticeTest = Success<paths['/notice-channels/{id}/test']['post']>;
export type Notice = Item<'/notices'>;
export type ProxySetting = Get<'/proxy'>;
export type ProxyCheck = Success<paths['/proxy/check']['post']>;
export type User = Item<'/users'>;
export type ApiKey = Item<'/api-keys'>;
export type RunningSession = Item<'/sessions'>;
export type TotpSetup = Success<paths['/session/totp']['post']>;
export type SecuritySettings = Get<'/security'>;
export type AuditEntry = Item<'/audit-log'>;
export type SystemState = Get<'/system'>;
export type Job = Item<'/jobs'>;
export type CloudEnv = Item<'/cloud-envs'>;
export type CloudEnvs = Get<'/cloud-envs'>;
export type CloudService = Item<'/cloud-envs/{env}/services'>;
export type CloudVersion = Item<'/cloud-envs/{env}/services/{service}/versions'>;
export type CloudShare = Item<'/cloud-shares'>;
export type CloudPush = Get<'/authorizers/{appid}/cloud-push'>;

export interface Page<T> {
  items: T[] | null;
  next_cursor: string;
  total?: number | null;
}

/** PageQuery asks for one page. */
export interface PageQuery<T> {
  queryKey: readonly unknown[];
  staleTime: number;
  queryFn: (context: { signal: AbortSignal }) => Promise<Page<T>>;
}
