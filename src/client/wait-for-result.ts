import { TierlineError } from '../errors.ts'
import type { ResultOptions } from '../tasks/handle.ts'
import { isTerminal } from '../tasks/state.ts'
import type { TaskOutcome } from '../tasks/task.ts'
import type { Api } from './api.ts'
import { createPatience, pause } from './patience.ts'

/** Below the minute after which many proxies cut a request. */
const LONG_POLL_MS = 25_000
/** For the way there and back, on top of the wait. */
const ANSWER_TIMEOUT_MS = 30_000
const EARLY_PAUSE_MS = 200

/**
 * Asks until the task is over, each time as long as the server holds the question.
 *
 * @throws {TierlineError} `not_finished` when `timeoutMs` is over, `task_not_found`; `server_unreachable` when
 *   the server stays away longer than `patienceMs`.
 */
export async function waitForResult(
  api: Api,
  path: string,
  { timeoutMs = Number.POSITIVE_INFINITY, signal, patienceMs }: ResultOptions & { patienceMs: number },
): Promise<TaskOutcome> {
  const patience = createPatience(patienceMs, signal)
  const deadline = performance.now() + timeoutMs
  for (;;) {
    signal?.throwIfAborted()
    const askedAt = performance.now()
    const waitMs = Math.min(Math.max(0, Math.ceil(deadline - askedAt)), LONG_POLL_MS)
    try {
      const body = await api.json<TaskOutcome>(path, {
        query: new URLSearchParams({ waitMs: String(waitMs) }),
        timeoutMs: waitMs + ANSWER_TIMEOUT_MS,
        signal,
        repeat: 'never',
      })
      patience.reset()
      if (isTerminal(body.state)) return body
    } catch (error) {
      if (signal?.aborted || performance.now() >= deadline) throw error
      await patience.bear(error)
      continue
    }
    if (performance.now() >= deadline)
      throw new TierlineError('not_finished', `Cannot give the result: not finished after ${timeoutMs} ms`)
    // A server that is about to stop answers before its time.
    if (performance.now() - askedAt < waitMs / 2) await pause(EARLY_PAUSE_MS, signal)
  }
}
