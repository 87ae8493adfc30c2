import type { Tone } from './states';

/** needs are the permission sets that WeChat asks for, one of each list is enough. */
const needs = {
  testers: [18],
  status: [18],
  trialCode: [18, 86],
  releasedCode: [17, 58],
  icp: [18, 156],
  privacy: [18],
  basic: [30],
  categories: [18],
  categorySettings: [30],
} as const;
export type Operation = keyof typeof needs;

/** lacking are the permission sets of which the merchant would have to grant one; empty where it has. */
export function lacking(granted: readonly number[] | null | undefined, operation: Operation): readonly number[] {
  const wanted: readonly number[] = needs[operation];
  return wanted.some((id) => granted?.includes(id)) ? [] : wanted;
}

export const changeStates = ['sent', 'reviewing', 'effective', 'refused', 'failed', 'lost'] as const;
export type ChangeState = (typeof changeStates)[number];

export function changeTone(state: ChangeState): Tone {
  switch (state) {
    case 'sent':
      return 'working';
    case 'reviewing':
      return 'review';
    case 'effective':
      return 'good';
    case 'refused':
    case 'failed':
      return 'bad';
    case 'lost':
      return 'ended';
  }
}

/** changeOpen says that WeChat has not decided yet, as far as is known. */
export function changeOpen(state: ChangeState): boolean {
  return state === 'sent' || state === 'reviewing';
}

const icpWords = {
  2: 'wechat',
  3: 'wechatRefused',
  4: 'authority',
  5: 'authorityRefused',
  6: 'filed',
  1024: 'none',
  1025: 'data',
  1026: 'category',
  1027: 'dataCategory',
  1028: 'verify',
  1029: 'dataVerify',
  1030: 'categoryVerify',
  1031: 'allMissing',
} as const;
export type IcpWord = (typeof icpWords)[keyof typeof icpWords] | 'unknown';

/** icpWord names a status of the ICP filing. */
export function icpWord(status: number): IcpWord {
  return icpWords[status as keyof typeof icpWords] ?? 'unknown';
}

export function icpTone(status: number): Tone {
  if (status === 6) return 'good';
  if (status === 2 || status === 4) return 'review';
  return status === 3 || status === 5 ? 'bad' : 'action';
}

const reviewWords = { 1: 'reviewing', 2: 'refused', 3: 'approved' } as const;

/** categoryReview names WeChat's number of a category's review. */
export function categoryReview(status: number): 'reviewing' | 'refused' | 'approved' | 'unknown' {
  return reviewWords[status as 1] ?? 'unknown';
}

const interfaceWords = { 1: 'open', 2: 'denied', 3: 'applying', 4: 'refused', 5: 'granted' } as const;
export type InterfaceWord = (typeof interfaceWords)[keyof typeof interfaceWords] | 'unknown';

/** interfaceWord names WeChat's number of a privacy interface's state. */
export function interfaceWord(status: number): InterfaceWord {
  return interfaceWords[status as 1] ?? 'unknown';
}

export const interfaceTones: Record<InterfaceWord, Tone> = {
  open: 'idle',
  denied: 'ended',
  applying: 'review',
  refused: 'bad',
  granted: 'good',
  unknown: 'idle',
};

/** textWidth counts as WeChat does for names: a Chinese character counts as two. */
export function textWidth(text: string): number {
  return [...text].reduce((n, c) => n + ((c.codePointAt(0) ?? 0) > 0x7f ? 2 : 1), 0);
}

export interface CategoryNode {
  id: number;
  name: string;
  level: number;
  father: number;
  needs_proof: boolean;
  proofs: string[][] | null;
  remark: string;
}

export interface CategoryChoice {
  first: number;
  second: number;
  title: string;
  node: CategoryNode;
}

/** categoryChoices are the categories of the second level under their first, but those the merchant has. */
export function categoryChoices(
  nodes: readonly CategoryNode[],
  own: readonly { first: number; second: number }[],
): CategoryChoice[] {
  const firsts = new Map(nodes.filter((n) => n.level === 1).map((n) => [n.id, n.name]));
  return nodes.flatMap((node) => {
    const first = firsts.get(node.father);
    if (node.level !== 2 || first === undefined) return [];
    if (own.some((o) => o.first === node.father && o.second === node.id)) return [];
    return [{ first: node.father, second: node.id, title: `${first} / ${node.name}`, node }];
  });
}

/** Uploaded are the media_ids of certificates, by category and name. */
export type Uploaded = Readonly<Record<string, string[]>>;

const proofKey = (category: string, name: string) => `${category} ${name}`;

export function proofsOf(uploaded: Uploaded, category: string, name: string): string[] {
  return uploaded[proofKey(category, name)] ?? [];
}

/** withProofs changes one list; what ends after another category was chosen stays with the one it was meant for. */
export function withProofs(
  uploaded: Uploaded,
  category: string,
  name: string,
  edit: (now: string[]) => string[],
): Uploaded {
  return { ...uploaded, [proofKey(category, name)]: edit(proofsOf(uploaded, category, name)) };
}

/** categoryTitle puts a change's subject, "304/321", into the names of the categories at hand. */
export function categoryTitle(
  subject: string,
  own: readonly { first: number; first_name: string; second: number; second_name: string }[],
): string {
  const found = own.find((o) => `${o.first}/${o.second}` === subject);
  return found ? `${found.first_name} / ${found.second_name}` : subject;
}

const sceneLetters = /^[!-~]{1,32}$/;

/** codeTrouble says why WeChat would not draw a code; the path may be empty where the server takes the first page. */
export function codeTrouble(
  released: boolean,
  path: string,
  scene: string,
  width: string,
): 'scene' | 'query' | 'path' | 'width' | null {
  if (width !== '' && !(/^\d+$/.test(width) && Number(width) >= 280 && Number(width) <= 1280)) return 'width';
  if (!released) return null;
  if (scene !== '' && !sceneLetters.test(scene)) return 'scene';
  if (scene !== '' && path.includes('?')) return 'query';
  return scene === '' && path === '' ? 'path' : null;
}

/** isTrial: a mini program to try out, until it is made a formal one. */
export function isTrial(merchant: { service_type: number | null; kind: string }): boolean {
  return merchant.kind === 'miniprogram' && merchant.service_type === 12;
}

/** isLibraryVersion tells versions of the base library, such as 2.32.3. */
export function isLibraryVersion(text: string): boolean {
  return /^\d+(\.\d+)+$/.test(text) && text.length <= 20;
}
