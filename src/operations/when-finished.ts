import type { TaskRecord } from '../records/task-record.ts'
import type { Keys } from '../redis/keys.ts'
import { createInbox } from '../stream/inbox.ts'
import type { LiveHub } from '../stream/live-hub.ts'
import { patiently } from '../stream/patiently.ts'
import { isTerminal } from '../tasks/state.ts'

export interface WhenFinishedDeps {
  hub: LiveHub
  keys: Keys
  record(id: string): Promise<TaskRecord>
}

/**
 * The record once it is over, or as it is when `signal` aborts. Woken by the log, so nothing polls.
 * Once it waits it bears a Redis that goes away. @throws {TierlineError} `task_not_found`, `redis_unavailable`.
 */
export async function whenFinished(
  { hub, keys, record }: WhenFinishedDeps,
  id: string,
  signal: AbortSignal,
): Promise<TaskRecord> {
  const first = await record(id)
  if (isTerminal(first.state) || signal.aborted) return first
  const inbox = createInbox(signal)
  let stop: (() => void) | undefined
  try {
    stop = await hub.listen(keys.channel(id), inbox.put)
    // Subscribed: what ended in between is seen by this look.
    let current = await record(id)
    while (!isTerminal(current.state) && !signal.aborted) {
      const batch = await inbox.take()
      if (batch === undefined || batch.some(({ type }) => type === 'task-finished'))
        current = (await patiently(signal, () => record(id))) ?? current
    }
    return current
  } finally {
    stop?.()
    inbox.close()
  }
}
