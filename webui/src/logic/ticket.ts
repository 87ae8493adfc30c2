import type { Component } from '../api/types';
import type { Tone } from './states';

const tones: Record<Component['ticket']['health'], Tone> = { ok: 'good', warn: 'action', stale: 'bad', alarm: 'bad' };

/** ticketTone follows the server, which knows after how long a ticket is late here; one that never came waits for somebody. */
export function ticketTone(ticket: Pick<Component['ticket'], 'present' | 'health'>): Tone {
  return ticket.present ? tones[ticket.health] : 'action';
}
