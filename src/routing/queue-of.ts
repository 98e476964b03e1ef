import type { Route } from '../tasks/route.ts'

/** The queue of pinned models that no tier lists. No tier may have this name. */
export const DIRECT_QUEUE = 'direct'

/** The queue of tasks whose parent runs and may wait for them. No tier may have this name. */
export const NESTED_QUEUE = 'nested'

/** The queue a task of this route waits in: its tier's, or `direct`. */
export function queueOf(route: Pick<Route, 'tier'>): string {
  return route.tier ?? DIRECT_QUEUE
}
