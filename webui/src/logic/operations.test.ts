import { describe, expect, it } from 'vitest';
import {
  categoryChoices,
  categoryReview,
  categoryTitle,
  changeOpen,
  changeStates,
  changeTone,
  codeTrouble,
  icpTone,
  icpWord,
  interfaceWord,
  isLibraryVersion,
  isTrial,
  lacking,
  proofsOf,
  textWidth,
  withProofs,
} from './operations';

describe('lacking', () => {
  it('is empty where one of the sets was granted', () => {
    expect(lacking([17, 18], 'testers')).toEqual([]);
    expect(lacking([156], 'icp')).toEqual([]);
  });
  it('names the sets where none was granted', () => {
    expect(lacking([17, 19], 'testers')).toEqual([18]);
    expect(lacking(null, 'icp')).toEqual([18, 156]);
  });
});

describe('changes', () => {
  it('have a tone each, and are open until WeChat has decided', () => {
    expect(changeStates.map(changeTone)).toEqual(['working', 'review', 'good', 'bad', 'bad', 'ended']);
    expect(changeStates.filter(changeOpen)).toEqual(['sent', 'reviewing']);
  });
});

describe('numbers of WeChat', () => {
  it('are told in words, unknown ones as such', () => {
    expect([2, 6, 1024, 1031, 7].map(icpWord)).toEqual(['wechat', 'filed', 'none', 'allMissing', 'unknown']);
    expect([6, 4, 5, 1024].map(icpTone)).toEqual(['good', 'review', 'bad', 'action']);
    expect([1, 2, 3, 4].map(categoryReview)).toEqual(['reviewing', 'refused', 'approved', 'unknown']);
    expect([1, 2, 3, 4, 5, 6].map(interfaceWord)).toEqual([
      'open',
      'denied',
      'applying',
      'refused',
      'granted',
      'unknown',
    ]);
  });
  it('count Chinese characters twice', () => {
    expect(textWidth('麦香坊Bakery')).toBe(12);
  });
});

describe('categories', () => {
  const node = (id: number, level: number, father: number, name: string) => ({
    id,
    level,
    father,
    name,
    needs_proof: false,
    proofs: null,
    remark: '',
  });
  const nodes = [
    node(0, 0, 0, ''),
    node(304, 1, 0, '商家自营'),
    node(321, 2, 304, '食品饮料'),
    node(307, 2, 304, '服装'),
    node(9, 2, 8, '没有上级'),
  ];
  it('offers those of the second level that the merchant does not have', () => {
    const offered = categoryChoices(nodes, [{ first: 304, second: 321 }]);
    expect(offered.map((c) => c.title)).toEqual(['商家自营 / 服装']);
  });
  it('names a change by the categories at hand', () => {
    const own = [{ first: 304, first_name: '商家自营', second: 321, second_name: '食品饮料' }];
    expect(categoryTitle('304/321', own)).toBe('商家自营 / 食品饮料');
    expect(categoryTitle('1/2', own)).toBe('1/2');
  });
});

describe('certificates of a category', () => {
  const add = (id: string) => (now: string[]) => [...now, id];
  it('are kept each under its name, whichever upload ends first', () => {
    const both = withProofs(withProofs({}, '1/2', '营业执照', add('m1')), '1/2', '许可证', add('m2'));
    expect(proofsOf(both, '1/2', '营业执照')).toEqual(['m1']);
    expect(proofsOf(both, '1/2', '许可证')).toEqual(['m2']);
  });
  it('are not those of another category that asks for the same', () => {
    const late = withProofs({}, '1/2', '营业执照', add('m1'));
    expect(proofsOf(late, '1/3', '营业执照')).toEqual([]);
  });
});

describe('codeTrouble', () => {
  it('lets trial codes be drawn without a page, released ones not', () => {
    expect(codeTrouble(false, '', '', '')).toBeNull();
    expect(codeTrouble(true, '', '', '')).toBe('path');
    expect(codeTrouble(true, 'pages/index/index?x=1', '', '430')).toBeNull();
    expect(codeTrouble(true, '', 'table=8', '')).toBeNull();
  });
  it('knows the limits of scene, query and width', () => {
    expect(codeTrouble(true, '', '桌8', '')).toBe('scene');
    expect(codeTrouble(true, '', 'x'.repeat(33), '')).toBe('scene');
    expect(codeTrouble(true, 'pages/a?x=1', 'table=8', '')).toBe('query');
    expect(codeTrouble(false, '', '', '200')).toBe('width');
  });
});

describe('the lowest base library', () => {
  it('is numbers and dots', () => {
    expect(['2.32.3', '3.0', '10.0.12'].every(isLibraryVersion)).toBe(true);
    expect(['2', '2.', 'v2.1', '2.1-beta', '', '1.1.1.1.1.1.1.1.1.1.1'].some(isLibraryVersion)).toBe(false);
  });
});

describe('a trial mini program', () => {
  it('is one until it is made formal', () => {
    expect(isTrial({ kind: 'miniprogram', service_type: 12 })).toBe(true);
    expect(isTrial({ kind: 'miniprogram', service_type: 0 })).toBe(false);
    expect(isTrial({ kind: 'official', service_type: null })).toBe(false);
  });
});
