import { expect, type Locator } from '@playwright/test';
import jsqr from 'jsqr';
import { PNG } from 'pngjs';

/** read decodes the QR code on a picture, as a phone's camera would; it is empty where there is none. */
export function read(png: Buffer): string {
  const { data, width, height } = PNG.sync.read(png);
  return jsqr(new Uint8ClampedArray(data), width, height)?.data ?? '';
}

/** expectCode waits until a picture on a page, as it is drawn there, is the QR code of a text. */
export async function expectCode(picture: Locator, text: string): Promise<void> {
  await expect.poll(async () => read(await picture.screenshot())).toBe(text);
}

/** square is a picture of one colour, as a PNG file. */
export function square(side: number, rgb: readonly [number, number, number]): Buffer {
  const png = new PNG({ width: side, height: side });
  for (let i = 0; i < side * side; i++) png.data.set([...rgb, 255], i * 4);
  return PNG.sync.write(png);
}
