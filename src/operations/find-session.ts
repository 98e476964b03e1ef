import { isTierlineError, TierlineError } from '../errors.ts'
import type { SessionBackend, SessionFacts } from '../sessions/backend.ts'

export interface FoundSession extends SessionFacts {
  backend: SessionBackend
}

/**
 * The session and the server that has it; all servers are asked at once, and nobody waits for those that are away
 * once one says that it has it. `field`: where the caller named it.
 *
 * @throws {TierlineError} `session_not_found`; `opencode_unavailable` when one that is away may have it.
 */
export async function findSession(
  backends: readonly SessionBackend[],
  sessionID: string,
  field = 'sessionID',
): Promise<FoundSession> {
  const enough = backends.length > 1 ? new AbortController() : undefined
  const ask = async (backend: SessionBackend): Promise<FoundSession> => {
    const facts = await backend.findSession(sessionID, enough?.signal)
    if (facts === undefined) throw sessionNotFound(sessionID, field)
    return { ...facts, backend }
  }
  try {
    return await Promise.any(backends.map(ask))
  } catch (error) {
    const reasons = (error as AggregateError).errors as unknown[]
    throw (
      reasons.find((reason) => !isTierlineError(reason, 'session_not_found')) ??
      sessionNotFound(sessionID, field)
    )
  } finally {
    enough?.abort()
  }
}

function sessionNotFound(sessionID: string, field: string): TierlineError {
  return new TierlineError('session_not_found', `Session not found: ${sessionID}`, {
    errors: [{ field, message: 'is no session of the OpenCode servers', given: sessionID }],
  })
}
