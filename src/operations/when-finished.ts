import type { TaskRecord } from '../records/task-record.ts'
import type { Keys } from '../redis/keys.ts'
import { createInbox } from '../stream/inbox.ts'
import type { LiveHub } from '../stream/live-hub.ts'
import { isTerminal } from '../tasks/state.ts'

export interface WhenFinishedDeps {
  hub: LiveHub
  keys: Keys
  record(id: string): Promise<TaskRecord>
}

/** The record once it is over, or as it is when `signal` aborts. Woken by the log, so nothing polls. */
export async function whenFinished(
  { hub, keys, record }: WhenFinishedDeps,
  id: string,
  signal: AbortSignal,
): Promise<TaskRecord> {
  const first = await record(id)
  if (isTerminal(first.state) || signal.aborted) return first
  const inbox = createInbox(signal)
  const stop = await hub.listen(keys.channel(id), inbox.put)
  try {
    // Subscribed: what ended in between is seen by this look.
    let current = await record(id)
    while (!isTerminal(current.state) && !signal.aborted) {
      const batch = await inbox.take()
      if (batch === undefined || batch.some(({ type }) => type === 'task-finished'))
        current = await record(id)
    }
    return current
  } finally {
    stop()
  }
}
