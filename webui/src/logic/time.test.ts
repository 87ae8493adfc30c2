import { describe, expect, it } from 'vitest';
import { absolute, duration, relative, told } from './time';

describe('relative', () => {
  it('uses the largest whole unit', () => {
    const now = Date.UTC(2026, 0, 2);
    expect(relative(now - 90_000, now, 'zh-CN')).toBe('1分钟前');
    expect(relative(now + 2 * 3_600_000, now, 'en')).toBe('in 2 hr.');
    expect(relative(now - 86_400_000, now, 'zh-CN')).toBe('昨天');
  });
});

describe('told', () => {
  const now = new Date(2027, 0, 3, 12, 0, 0).getTime();
  it('tells near times from now and far ones by their date with the year', () => {
    expect(told(now - 3_600_000, now, 'zh-CN')).toBe('1小时前');
    expect(told(new Date(2026, 10, 9, 14, 5).getTime(), now, 'zh-CN')).toBe('2026/11/9 14:05');
  });
  it('never leaves open which number is the month', () => {
    expect(absolute(new Date(2026, 10, 9, 0, 5, 7).getTime(), 'en')).toBe('Nov 9, 2026, 00:05:07');
  });
});

describe('duration', () => {
  it('shows two units at most', () => {
    expect(duration(3_725_000, 'en')).toBe('1 hr 2 min');
    expect(duration(0, 'en')).toBe('0 sec');
    expect(duration(59_400, 'zh-CN')).toBe('59秒');
  });
});
