import { describe, expect, it } from 'vitest';
import { duration, relative } from './time';

describe('relative', () => {
  it('uses the largest whole unit', () => {
    const now = Date.UTC(2026, 0, 2);
    expect(relative(now - 90_000, now, 'zh-CN')).toBe('1分钟前');
    expect(relative(now + 2 * 3_600_000, now, 'en')).toBe('in 2 hr.');
    expect(relative(now - 86_400_000, now, 'zh-CN')).toBe('昨天');
  });
});

describe('duration', () => {
  it('shows two units at most', () => {
    expect(duration(3_725_000, 'en')).toBe('1 hr 2 min');
    expect(duration(0, 'en')).toBe('0 sec');
    expect(duration(59_400, 'zh-CN')).toBe('59秒');
  });
});
