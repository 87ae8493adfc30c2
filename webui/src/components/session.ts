import { useQuery } from '@tanstack/react-query';
import { sessionQuery } from '../api/queries';
import type { Role } from '../api/types';

const rank: Record<Role, number> = { viewer: 0, operator: 1, admin: 2 };

/** useCan says whether the signed-in user has at least a role. The server checks again. */
export function useCan(role: Role): boolean {
  const { data } = useQuery(sessionQuery);
  return data ? rank[data.user.role] >= rank[role] : false;
}
