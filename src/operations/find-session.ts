import { isTierlineError, TierlineError } from '../errors.ts'
import type { SessionBackend, SessionFacts } from '../sessions/backend.ts'

export interface FoundSession extends SessionFacts {
  backend: SessionBackend
}

/**
 * The session and the server that has it; all servers are asked at once.
 *
 * @throws {TierlineError} `session_not_found`; `opencode_unavailable` when one that is away may have it.
 */
export async function findSession(
  backends: readonly SessionBackend[],
  sessionID: string,
): Promise<FoundSession> {
  const answers = await Promise.allSettled(backends.map((backend) => backend.findSession(sessionID)))
  for (const [index, answer] of answers.entries())
    if (answer.status === 'fulfilled' && answer.value !== undefined)
      return { ...answer.value, backend: backends[index]! }
  const failed = answers.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined
  throw failed === undefined || !isTierlineError(failed.reason) ? sessionNotFound(sessionID) : failed.reason
}

function sessionNotFound(sessionID: string): TierlineError {
  return new TierlineError('session_not_found', `Session not found: ${sessionID}`, {
    errors: [{ field: 'sessionID', message: 'is no session of the OpenCode servers', given: sessionID }],
  })
}
