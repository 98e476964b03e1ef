/** A process of ours from start to end: what it says, when it stops, and its exit code. */

import { type Settings, secretsOf } from '../config/settings.ts'
import { type ErrorCode, type FieldError, TierlineError } from '../errors.ts'
import { createLogger, type Logger } from '../telemetry/logger.ts'
import { allocateYoung } from './allocate-young.ts'
import { outliveStderr } from './outlive-stderr.ts'
import type { Running } from './running.ts'
import { untilStopped } from './until-stopped.ts'

/** What running turns may still take to end after a signal, before they are handed over. */
const GRACE_MS = 5_000

/** What closing may take beside. */
const CLOSE_MS = 3_000

/** What a child tells `up`. */
export type RoleMessage =
  | { type: 'ready'; url?: string }
  | { type: 'failed'; code: ErrorCode | undefined; message: string; errors: readonly FieldError[] }

/**
 * Starts, waits for a reason to stop, closes. Resolves when all is closed.
 *
 * @throws what `start` throws, unless a parent is there to be told.
 */
export async function runRole<R extends Running & { url?: string }>(
  settings: Settings,
  start: (logger: Logger) => Promise<R>,
  onReady: (running: R) => void,
): Promise<void> {
  allocateYoung()
  outliveStderr()
  const logger = createLogger({ level: settings.logLevel, secrets: secretsOf(settings) })
  const stopping = untilStopped()
  try {
    const running = await start(logger)
    tellParent({ type: 'ready', ...(running.url !== undefined && { url: running.url }) })
    onReady(running)
    const reason = await stopping.reason
    logger.debug({ reason }, 'stopping')
    await closeInTime(running, reason === 'orphaned' ? 0 : GRACE_MS, logger)
  } catch (error) {
    if (!tellParent(failureOf(error))) throw error
    process.exitCode = 1
  } finally {
    stopping.dispose()
    // The channel would keep the process alive.
    if (process.connected) process.disconnect()
  }
}

/** Where Redis is gone for good nothing can be handed over: the next worker takes over by itself. */
async function closeInTime(running: Running, graceMs: number, logger: Logger): Promise<void> {
  const deadline = setTimeout(() => {
    logger.error(
      {},
      'Cannot stop in order: Redis or OpenCode does not answer; what ran is taken over by the next worker',
    )
    process.exit(1)
  }, graceMs + CLOSE_MS)
  await running.close(graceMs)
  clearTimeout(deadline)
}

function failureOf(error: unknown): RoleMessage {
  const { message } = error as Error
  if (!(error instanceof TierlineError)) return { type: 'failed', code: undefined, message, errors: [] }
  return { type: 'failed', code: error.code, message, errors: error.errors }
}

/** `false`: there is none. */
function tellParent(message: RoleMessage): boolean {
  if (process.send === undefined || !process.connected) return false
  process.send(message, () => {})
  return true
}
