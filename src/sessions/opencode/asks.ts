/**
 * The safety net under headless sessions: an ask that nobody would answer is turned down, so that nothing hangs.
 *
 * The rules of a session let no ask come up (`headless-rules.ts`); agents and children may bring their own.
 */
import type { OpenCodeHttp } from './http.ts'
import type { Ask } from './wire.ts'

const REASON = 'Nobody is here to answer. Go on without this, or say what is missing.'

export type AskKind = 'permission' | 'question'

/** What a backend reports of its own doings. A pino logger is one. */
export interface BackendLogger {
  warn(fields: object, message: string): void
}

export interface AskNet {
  /** Turns the ask down if it is of a session of ours or of a child of one. Never throws. */
  seen(kind: AskKind, ask: Ask): Promise<void>
  /** Asks the server what is open, since an event may have been missed. Never throws. */
  sweep(): Promise<void>
}

export interface AskNetOptions {
  http: OpenCodeHttp
  directory: string | undefined
  /** A session in which one of our turns runs. */
  isOurs(sessionID: string): boolean
  signal: AbortSignal
  logger: BackendLogger | undefined
}

export function createAskNet({ http, directory, isOurs, signal, logger }: AskNetOptions): AskNet {
  const handled = new Set<string>()
  const parents = new Map<string, string | undefined>()

  async function parentOf(sessionID: string): Promise<string | undefined> {
    if (!parents.has(sessionID))
      parents.set(sessionID, (await http.session(sessionID, directory, signal)).parentID)
    return parents.get(sessionID)
  }

  async function isOfOurs(sessionID: string): Promise<boolean> {
    let current: string | undefined = sessionID
    while (current !== undefined) {
      if (isOurs(current)) return true
      current = await parentOf(current)
    }
    return false
  }

  async function seen(kind: AskKind, { id, sessionID, questions = [] }: Ask): Promise<void> {
    if (handled.has(id)) return
    handled.add(id)
    try {
      if (!(await isOfOurs(sessionID))) {
        // Another worker's, and it may become ours.
        handled.delete(id)
        return
      }
      // With a reason the model goes on; without one OpenCode would stop the turn there.
      if (kind === 'permission') await http.rejectPermission(id, directory, REASON)
      else
        await http.answerQuestion(
          id,
          directory,
          questions.map(() => [REASON]),
        )
      logger?.warn({ sessionID, kind, askID: id }, 'Turned down an ask that nobody would have answered')
    } catch (error) {
      // Gone already, or the server is: the next sweep finds it if it still stands.
      handled.delete(id)
      if (!signal.aborted) logger?.warn({ sessionID, kind, askID: id, error }, 'Cannot turn down an ask')
    }
  }

  return {
    seen,
    async sweep() {
      for (const kind of ['permission', 'question'] as const) {
        const open = await http.asks(kind, directory, signal).catch(() => [])
        await Promise.all(open.map((ask) => seen(kind, ask)))
      }
    },
  }
}
