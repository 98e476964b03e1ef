import type { FairTurns, TakenTurn } from '../queues/fair-turns.ts'
import { NESTED_QUEUE } from '../routing/queue-of.ts'
import type { Admitted } from './new-record.ts'

/**
 * Asks for the turn of a task among those of other API keys, while its record is written: no further round trip.
 * At once `undefined` where nobody takes turns. Never rejects: a task that gets none comes first.
 */
export type TakeTurn = (
  task: Pick<Admitted, 'queue' | 'key' | 'input'>,
) => Promise<TakenTurn | undefined> | undefined

/** `undefined`: there are not several API keys. Tasks below others take none: nothing limits their queue. */
export function createTakeTurn(turns: FairTurns | undefined): TakeTurn {
  return ({ queue, key, input }) => {
    if (turns === undefined || queue === NESTED_QUEUE) return undefined
    return turns.take(queue, input.priority ?? 0, key).catch(() => undefined)
  }
}
