import { describe, expect, it } from 'vitest';
import { diffLines, folded, settled } from './diff';

const brief = (a: string, b: string) =>
  diffLines(a, b).map((l) => `${{ same: ' ', added: '+', gone: '-' }[l.kind]}${l.text}`);

describe('diffLines', () => {
  it('keeps what is common in place', () => {
    expect(brief('a\nb\nc', 'a\nx\nc\nd')).toEqual([' a', '-b', '+x', ' c', '+d']);
  });
  it('finds nothing between equal texts', () => {
    expect(brief('a\nb', 'a\nb')).toEqual([' a', ' b']);
  });
  it('shows a line that moved as gone and added', () => {
    expect(brief('a\nb\nc', 'b\nc\na')).toEqual(['-a', ' b', ' c', '+a']);
  });
  it('does not take very long texts apart line by line', () => {
    const many = (name: string) => Array.from({ length: 3000 }, (_, i) => `${name}${i}`).join('\n');
    expect(diffLines(many('a'), many('b'))).toHaveLength(6000);
  });
});

describe('settled', () => {
  it('makes the same value read the same whatever the order of its names', () => {
    expect(settled('{"b":1,"a":{"d":[1,2],"c":null}}')).toBe(settled('{"a":{"c":null,"d":[1,2]},"b":1}'));
  });
  it('lets be what is no JSON', () => {
    expect(settled('{')).toBe('{');
  });
});

describe('folded', () => {
  it('says how many equal lines were left out', () => {
    const lines = diffLines('1\n2\n3\n4\n5\n6', '1\n2\n3\n4\n5\nx');
    expect(folded(lines, 1)).toEqual([
      { kind: 'gap', count: 4 },
      { kind: 'same', text: '5' },
      { kind: 'gone', text: '6' },
      { kind: 'added', text: 'x' },
    ]);
  });
});
