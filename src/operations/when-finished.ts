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

/** A timer holds no more: almost 25 days. */
const LONGEST_WAIT_MS = 2 ** 31 - 1

/**
 * The record once it is over, or as it is after `waitMs` or when `signal` aborts. Woken by the log, so nothing polls.
 * Once it waits it bears a Redis that goes away. @throws {TierlineError} `task_not_found`, `redis_unavailable`.
 */
export async function whenFinished(
  { hub, keys, record }: WhenFinishedDeps,
  id: string,
  waitMs: number,
  stop: AbortSignal,
): Promise<TaskRecord> {
  const first = await record(id)
  if (isTerminal(first.state) || stop.aborted || waitMs <= 0) return first
  const patience = Number.isFinite(waitMs)
    ? [AbortSignal.timeout(Math.min(Math.ceil(waitMs), LONGEST_WAIT_MS))]
    : []
  const signal = AbortSignal.any([stop, ...patience])
  const inbox = createInbox(signal)
  let leave: (() => void) | undefined
  try {
    leave = await patiently(signal, () => hub.listen(keys.channel(id), inbox.put))
    // Subscribed: what ended in between is seen by this look.
    let current = (await patiently(signal, () => record(id))) ?? first
    while (!isTerminal(current.state) && !signal.aborted) {
      const batch = await inbox.take()
      if (batch === undefined || batch.some(({ type }) => type === 'task-finished'))
        current = (await patiently(signal, () => record(id))) ?? current
    }
    return current
  } finally {
    leave?.()
    inbox.close()
  }
}
