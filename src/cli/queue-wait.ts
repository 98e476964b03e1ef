import type { Task, TierlineClient } from '../client/index.ts'
import { isTierlineError } from '../errors.ts'
import type { TierView } from '../tasks/views.ts'

/**
 * What tasks wait for whose record names nothing: their queue. Asks once which tiers are paused, and nothing when no
 * task of these waits so; `undefined`: a task waits for something else, or nobody knows.
 */
export async function readQueueWaits(
  client: TierlineClient,
  tasks: readonly Task[],
): Promise<(task: Task) => TierView | undefined> {
  if (!tasks.some(waitsInQueue)) return () => undefined
  const tiers = await tiersOf(client)
  return (task) => (waitsInQueue(task) ? tiers.find(({ tier }) => tier === task.queue) : undefined)
}

/** `fast is paused; …`, `its turn in the tier fast, which runs 2 at once`. `command`: what is typed here for it. */
export function describeQueueWait({ tier, paused, concurrency }: TierView, command: string): string {
  if (paused) return `${tier} is paused; let it go on with "${command} resume ${tier}"`
  return `its turn in the tier ${tier}${concurrency === null ? '' : `, which runs ${concurrency} at once`}`
}

function waitsInQueue({ state, waitingFor }: Task): boolean {
  return state === 'waiting' && waitingFor === null
}

/** What is asked for was found: it is shown without these words rather than not at all. */
async function tiersOf(client: TierlineClient): Promise<readonly TierView[]> {
  try {
    return (await client.routes()).tiers
  } catch (error) {
    if (!isTierlineError(error)) throw error
    return []
  }
}
