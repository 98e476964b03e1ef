/** OpenCode's events of all directories at once, as its terminal follows them. */
import type { SessionBackend } from '../../sessions/backend.ts'
import { createEventTeller, type EventTellerDeps, type WireEvent } from './event-teller.ts'
import { eventsAndNotices, isNotice } from './events-and-notices.ts'
import type { LocateSession } from './locate-session.ts'
import type { SessionNotices } from './session-notices.ts'

export interface GlobalEventsDeps extends EventTellerDeps {
  notices: SessionNotices
  locate: LocateSession
  /** @throws {TierlineError} when nobody may use it. */
  checkDirectory(directory: string, field: string): Promise<string>
}

/** As OpenCode wraps what it tells of all directories. */
interface Envelope {
  /** None, or `global`: it is about none. */
  directory?: string
  project?: string
  payload: WireEvent | { type: 'sync' }
}

const MOST_REMEMBERED = 1_000

/**
 * Those of all directories that may be used, of all servers. Ends as soon as one of the servers does: who comes back
 * is told of the others while that one is waited for.
 */
export async function* globalEvents(
  deps: GlobalEventsDeps,
  backends: readonly SessionBackend[],
  signal: AbortSignal,
): AsyncGenerator<object> {
  const places = createPlaces(deps)
  const { told, noticed, stop } = createEventTeller(deps)
  try {
    for await (const item of eventsAndNotices<Envelope>(deps.notices, backends, 'all', signal)) {
      if (isNotice(item)) {
        const directory = await places.ofSession(item.record.input.sessionID!)
        if (directory !== undefined)
          for await (const payload of noticed(item)) yield { ...places.envelope(directory), payload }
      } else if (isEvent(item.payload) && (await places.mayBeTold(item)))
        for await (const payload of told(item.payload)) yield { ...item, payload }
    }
  } finally {
    stop()
  }
}

/** Which directories may be told of, and what OpenCode says beside them: remembered, as events are many. */
function createPlaces({ locate, checkDirectory }: GlobalEventsDeps) {
  const allowed = new Map<string, Promise<boolean>>()
  const projects = new Map<string, string>()

  function isAllowed(directory: string): Promise<boolean> {
    const known = allowed.get(directory)
    if (known !== undefined) return known
    if (allowed.size >= MOST_REMEMBERED) for (const map of [allowed, projects]) map.clear()
    const checked = checkDirectory(directory, 'directory').then(
      () => true,
      () => false,
    )
    allowed.set(directory, checked)
    return checked
  }

  return {
    async mayBeTold({ directory, project }: Envelope): Promise<boolean> {
      if (directory === undefined || directory === 'global') return true
      if (!(await isAllowed(directory))) return false
      if (project !== undefined) projects.set(directory, project)
      return true
    },
    /** `undefined`: it is gone, or where nobody may be. */
    async ofSession(sessionID: string): Promise<string | undefined> {
      const place = await locate(sessionID).catch(() => undefined)
      return place?.directory
    },
    envelope(directory: string): Omit<Envelope, 'payload'> {
      const project = projects.get(directory)
      return { directory, ...(project !== undefined && { project }) }
    },
  }
}

/** OpenCode tells everything twice to those of all directories; the second is for its own replicas. */
function isEvent(payload: Envelope['payload']): payload is WireEvent {
  return payload.type !== 'sync'
}
