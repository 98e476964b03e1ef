import type { SessionBackend } from '../../sessions/backend.ts'
import { findSession } from '../find-session.ts'

/** Which server has a session, and in which directory it is: neither ever changes. */
export interface SessionPlace {
  backend: SessionBackend
  /** Real path; `undefined`: the server's own. */
  directory: string | undefined
}

export interface LocateDeps {
  backends: readonly SessionBackend[]
  /** @throws {TierlineError} when the session is in a directory that nobody may use. */
  checkDirectory(directory: string, field: string): Promise<string>
}

const MOST_REMEMBERED = 10_000

export type LocateSession = ReturnType<typeof createLocateSession>

/** Remembers where sessions are, so that what is passed on costs no request more. */
export function createLocateSession({ backends, checkDirectory }: LocateDeps) {
  const places = new Map<string, SessionPlace>()

  /**
   * `field`: where the caller named it.
   *
   * @throws {TierlineError} `session_not_found`, `directory_not_allowed`, `opencode_unavailable`.
   */
  return async function locate(sessionID: string, field = 'sessionID'): Promise<SessionPlace> {
    const known = places.get(sessionID)
    if (known !== undefined) return known
    const { backend, directory: given } = await findSession(backends, sessionID, field)
    const directory = given === undefined ? undefined : await checkDirectory(given, field)
    if (places.size >= MOST_REMEMBERED) places.delete(places.keys().next().value!)
    const place = { backend, directory }
    places.set(sessionID, place)
    return place
  }
}
