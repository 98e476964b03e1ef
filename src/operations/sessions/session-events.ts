/** OpenCode's events of a directory, with what it does not know: messages that were accepted and wait. */
import type { SessionBackend } from '../../sessions/backend.ts'
import { createEventTeller, type EventTellerDeps, type WireEvent } from './event-teller.ts'
import { eventsAndNotices, isNotice } from './events-and-notices.ts'
import type { SessionNotices } from './session-notices.ts'

export interface SessionEventsDeps extends EventTellerDeps {
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
  const { told, noticed, stop } = createEventTeller(deps)
  try {
    for await (const item of eventsAndNotices<WireEvent>(deps.notices, [backend], { directory }, signal)) {
      if (!isNotice(item)) yield* told(item)
      else if (isOf(item.record.directory)) yield* noticed(item)
    }
  } finally {
    stop()
  }

  function isOf(given: string | null): boolean {
    // `null` is a server's own directory, by a name that nobody gave it.
    return directory === undefined || given === null || given === directory
  }
}
