/**
 * What sessions ask, and who is to be told: asks of a child go to the turn that has started it.
 *
 * An ask hangs its session for ever and does not show in its status, so besides the events the server is asked
 * what is open: an event may have been missed.
 */
import type { OpenCodeHttp } from './http.ts'
import type { Ask, Statuses } from './wire.ts'

export type AskKind = 'permission' | 'question'

/** What a backend reports of its own doings. A pino logger is one. */
export interface BackendLogger {
  warn(fields: object, message: string): void
}

export interface OpenAsk extends Ask {
  kind: AskKind
}

export type AskNotice =
  | { type: 'asked'; ask: OpenAsk }
  /** `reply` is what OpenCode tells of it. */
  | { type: 'ask-replied'; askID: string; reply?: 'once' | 'always' | 'reject' | undefined }
  /** All that is open of the session and its children, as of `askedAt`. */
  | { type: 'asks-listed'; asks: readonly OpenAsk[]; askedAt: number }

export interface AskRelay {
  /** Never throws. */
  seen(kind: AskKind, ask: Ask): Promise<void>
  replied(askID: string, reply?: 'once' | 'always' | 'reject'): void
  /** Asks the server what is open; `statuses` tells which sessions still wait. Never throws. */
  sweep(statuses: Statuses): Promise<void>
}

export interface AskRelayOptions {
  http: OpenCodeHttp
  directory: string | undefined
  /** Sessions in which our turns run. */
  sessions(): Iterable<string>
  isOurs(sessionID: string): boolean
  tell(sessionID: string, notice: AskNotice): void
  signal: AbortSignal
  logger: BackendLogger | undefined
}

export function createAskRelay(options: AskRelayOptions): AskRelay {
  const { http, directory, sessions, isOurs, tell, signal, logger } = options
  /** Of sessions that ask, the one above each. */
  const parents = new Map<string, string | undefined>()
  /** Ask → the session of ours that was told of it. */
  const owners = new Map<string, string>()
  /** Asks with an owner that the last list did not have. */
  let unlisted: readonly string[] = []

  async function parentOf(sessionID: string): Promise<string | undefined> {
    if (!parents.has(sessionID))
      parents.set(sessionID, (await http.session(sessionID, directory, signal)).parentID)
    return parents.get(sessionID)
  }

  /** The session of ours that it belongs to; `undefined`: another worker's, and it may become ours. */
  async function ownerOf({ id, sessionID }: Ask): Promise<string | undefined> {
    let current: string | undefined = sessionID
    while (current !== undefined && !isOurs(current)) current = await parentOf(current)
    if (current !== undefined) owners.set(id, current)
    return current
  }

  /** Of an ask that is listed no more the reply may still be on its way: it goes with the second list without it. */
  function forget(listed: ReadonlySet<string>, statuses: Statuses): void {
    for (const id of unlisted) if (!listed.has(id)) owners.delete(id)
    unlisted = [...owners.keys()].filter((id) => !listed.has(id))
    for (const id of parents.keys()) if (!(id in statuses)) parents.delete(id)
  }

  return {
    async seen(kind, ask) {
      try {
        const owner = await ownerOf(ask)
        if (owner !== undefined) tell(owner, { type: 'asked', ask: { ...ask, kind } })
      } catch (error) {
        // The next sweep finds it if it still stands.
        if (!signal.aborted) logger?.warn({ askID: ask.id, error }, 'Cannot find out whose ask it is')
      }
    },

    replied(askID, reply) {
      const owner = owners.get(askID)
      owners.delete(askID)
      if (owner !== undefined) tell(owner, { type: 'ask-replied', askID, reply })
    },

    async sweep(statuses) {
      const askedAt = Date.now()
      try {
        const lists = await Promise.all(
          (['permission', 'question'] as const).map(async (kind) =>
            (await http.asks(kind, directory, signal)).map((ask): OpenAsk => ({ ...ask, kind })),
          ),
        )
        // Asks of a session that was aborted stay listed.
        const waiting = lists.flat().filter(({ sessionID }) => sessionID in statuses)
        forget(new Set(lists.flat().map(({ id }) => id)), statuses)
        const owned = await Promise.all(waiting.map(async (ask) => ({ ask, owner: await ownerOf(ask) })))
        for (const sessionID of sessions())
          tell(sessionID, {
            type: 'asks-listed',
            asks: owned.filter(({ owner }) => owner === sessionID).map(({ ask }) => ask),
            askedAt,
          })
      } catch {
        // The server is away: it is asked again soon.
      }
    },
  }
}
