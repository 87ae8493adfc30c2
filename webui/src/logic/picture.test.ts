import { describe, expect, it } from 'vitest';
import { centreSquare, isColor, logoTypes, longestLogo, pictureTrouble, textOn } from './picture';

describe('pictureTrouble', () => {
  const trouble = (type: string, size: number) => pictureTrouble({ type, size }, logoTypes, longestLogo);
  it('takes PNG and JPEG up to 256 KiB', () => {
    expect(trouble('image/png', 256 * 1024)).toBeNull();
    expect(trouble('image/jpeg', 1)).toBeNull();
  });
  it('stops other files, too large ones and empty ones', () => {
    expect(trouble('image/svg+xml', 10)).toBe('type');
    expect(trouble('', 10)).toBe('type');
    expect(trouble('image/png', 256 * 1024 + 1)).toBe('size');
    expect(trouble('image/png', 0)).toBe('size');
  });
});

describe('centreSquare', () => {
  it('leaves a square as it is', () => {
    expect(centreSquare(300, 300)).toEqual({ x1: 0, y1: 0, x2: 1, y2: 1 });
  });
  it('cuts the longer sides', () => {
    expect(centreSquare(400, 200)).toEqual({ x1: 0.25, y1: 0, x2: 0.75, y2: 1 });
    expect(centreSquare(100, 200)).toEqual({ x1: 0, y1: 0.25, x2: 1, y2: 0.75 });
  });
});

it('colours', () => {
  expect(isColor('#0A7c4d')).toBe(true);
  for (const text of ['', '0a7c4d', '#fff', '#0a7c4g', 'red']) expect([text, isColor(text)]).toEqual([text, false]);
  expect(textOn('#0052d9')).toBe('#fff');
  expect(textOn('#ffe600')).toBe('#17212f');
});
