export const logoTypes: readonly string[] = ['image/png', 'image/jpeg'];
export const longestLogo = 256 * 1024;
export const widestLogo = 2048;

/** pictureTypes and longestPicture are what WeChat takes. */
export const pictureTypes: readonly string[] = ['image/png', 'image/jpeg', 'image/gif'];
export const longestPicture = 2 * 1024 * 1024;

export type PictureTrouble = 'type' | 'size';

/** pictureTrouble says why a file is no picture to send, before it is read. */
export function pictureTrouble(
  file: { type: string; size: number },
  types: readonly string[],
  longest: number,
): PictureTrouble | null {
  if (!types.includes(file.type)) return 'type';
  return file.size === 0 || file.size > longest ? 'size' : null;
}

export function dataUrl(file: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

/** sizeOf is the width and height of a picture; it fails for what is none. */
export function sizeOf(url: string): Promise<{ width: number; height: number }> {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve({ width: image.naturalWidth, height: image.naturalHeight });
    image.onerror = () => reject(new Error('not a picture'));
    image.src = url;
  });
}

/** centreSquare is the largest square in the middle of a picture, as parts of its sides. */
export function centreSquare(width: number, height: number): { x1: number; y1: number; x2: number; y2: number } {
  const side = Math.min(width, height);
  const x = (width - side) / 2 / width;
  const y = (height - side) / 2 / height;
  return { x1: x, y1: y, x2: 1 - x, y2: 1 - y };
}

export function isColor(text: string): boolean {
  return /^#[0-9a-f]{6}$/i.test(text);
}

/** textOn is the colour of text that can be read on another, as the pages for merchants choose it. */
export function textOn(color: string): '#fff' | '#17212f' {
  const weights = [0.2126, 0.7152, 0.0722];
  const luminance = weights.reduce((sum, weight, i) => {
    const c = Number.parseInt(color.slice(1 + 2 * i, 3 + 2 * i), 16) / 255;
    return sum + weight * (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  }, 0);
  return 1.05 / (luminance + 0.05) < 3 ? '#17212f' : '#fff';
}
