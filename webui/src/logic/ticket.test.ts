import { describe, expect, it } from 'vitest';
import { ticketTone } from './ticket';

describe('the ticket', () => {
  it('is as bad as the server says, whatever its age', () => {
    expect(ticketTone({ present: true, health: 'ok' })).toBe('good');
    expect(ticketTone({ present: true, health: 'warn' })).toBe('action');
    expect(ticketTone({ present: true, health: 'stale' })).toBe('bad');
    expect(ticketTone({ present: true, health: 'alarm' })).toBe('bad');
  });

  it('that never came waits for somebody', () => {
    expect(ticketTone({ present: false, health: 'stale' })).toBe('action');
  });
});
