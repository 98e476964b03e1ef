/** OpenCode's events of a directory, with what it does not know: messages that were accepted and wait. */
import type { SessionBackend } from '../../sessions/backend.ts'
import { eventsAndNotices, isNotice } from './events-and-notices.ts'
import type { SessionNotices } from './session-notices.ts'
import { noticed, type ToldEventsDeps, told, type WireEvent } from './told-events.ts'

export interface SessionEventsDeps extends ToldEventsDeps {
  notices: SessionNotices
}

/**
 * From acceptance to the end of its last message a session is busy. Ends when OpenCode does; its clients come back by
 * themselves.
 */
export async function* sessionEvents(
  deps: SessionEventsDeps,
  backend: SessionBackend,
  directory: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<object> {
  for await (const item of eventsAndNotices<WireEvent>(deps.notices, [backend], { directory }, signal)) {
    if (!isNotice(item)) yield* told(deps, item)
    else if (isOf(item.record.directory)) yield* noticed(deps, item)
  }

  function isOf(given: string | null): boolean {
    // `null` is a server's own directory, by a name that nobody gave it.
    return directory === undefined || given === null || given === directory
  }
}
