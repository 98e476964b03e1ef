import type { FairTurns } from './fair-turns.ts'
import type { TaskQueues } from './task-queues.ts'

/** Counts the turns of a queue from the one served last, once their numbers have become large; its jobs follow. */
export async function rebaseTurns(
  queue: string,
  { turns, queues }: { turns: FairTurns; queues: TaskQueues },
): Promise<void> {
  const priorityOf = await turns.rebase(queue)
  if (priorityOf !== undefined) await queues.reprioritise(queue, priorityOf)
}
