/** The `SessionBackend` of a real OpenCode server (v1 API, measured on 1.18.33). */
import { setTimeout as sleep } from 'node:timers/promises'
import { TierlineError } from '../../errors.ts'
import type { SessionBackend } from '../backend.ts'
import { answerAsk } from './answer-ask.ts'
import { answerTo } from './answer-to.ts'
import type { BackendLogger } from './asks.ts'
import { catalogOf } from './catalog.ts'
import { createAskWhenBack, wasNeverSent } from './comeback.ts'
import { createDirectoryPool } from './directory-pool.ts'
import { createForwarder } from './forward.ts'
import { forwardEvents } from './forward-events.ts'
import { createOpenCodeHttp, type OpenCodeAddress } from './http.ts'
import { openSession } from './open-session.ts'
import { openedSince, removeEmpty } from './opened-sessions.ts'
import { patiently } from './patience.ts'
import { OpenCodeRefusal } from './refusal.ts'
import { runTurn } from './run-turn.ts'
import { runningTurns } from './running-turns.ts'
import { spentOn } from './spent-on.ts'
import { createTap } from './tap.ts'
import { isBusyIn } from './wire.ts'
import { openWorktree, removeWorktree, worktreeDiff } from './worktree.ts'

const DEFAULT_PATIENCE_MS = 30_000
const FIRST_FIND_MS = 2_000
const NEVER = new AbortController().signal
const DEFAULT_LINGER_MS = 60_000
const DEFAULT_SILENCE_MS = 30_000
const ABORT_TRIES = 8
const ABORT_PAUSE_MS = 150

export interface OpenCodeBackendOptions extends OpenCodeAddress {
  /** Stable name, the one a checkpoint holds: `local`, `s1`. */
  server: string
  /** How long a server may be away before `opencode_unavailable` is thrown. Default 30 s. */
  patienceMs?: number
  /** How long an event connection is kept that nobody uses. Default one minute. */
  lingerMs?: number
  /**
   * How long an event connection may be silent before it counts as broken. Default 30 s: OpenCode sends a
   * heartbeat every 10 s, and is late with it when it is busy.
   */
  silenceMs?: number
  /** Where the tap of a server that tierline started listens (docs/opencode.md "The tap"). */
  tapUrl?: string | undefined
  /** Providers whose price of 0 means free of charge; elsewhere it means that it is not known. */
  freeProviders?: readonly string[]
  logger?: BackendLogger
}

export function createOpenCodeBackend(options: OpenCodeBackendOptions): SessionBackend {
  const {
    server,
    patienceMs = DEFAULT_PATIENCE_MS,
    lingerMs = DEFAULT_LINGER_MS,
    silenceMs = DEFAULT_SILENCE_MS,
    freeProviders = [],
    logger,
  } = options
  const http = createOpenCodeHttp(options)
  const forwarder = createForwarder(options)
  const tap = options.tapUrl === undefined ? undefined : createTap(options.tapUrl, options)
  const askWhenBack = createAskWhenBack(http.health, patienceMs)
  const directories = createDirectoryPool({ http, lingerMs, silenceMs, logger })
  /** Opened here and not yet used: whatever is sent there first was sent by nobody before. */
  const unused = new Set<string>()

  /** Who is there and does not do what was asked is of no use: a wrong password, or no OpenCode at all. */
  async function orUnavailable<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await request()
    } catch (cause) {
      if (!(cause instanceof OpenCodeRefusal)) throw cause
      const hint =
        cause.status === 401 ? '; OPENCODE_SERVER_PASSWORD must be the one it was started with' : ''
      throw new TierlineError(
        'opencode_unavailable',
        `Cannot use OpenCode "${server}": ${cause.message}${hint}`,
        { cause },
      )
    }
  }

  /** What changes something is sent again only when nothing of it has reached the server. */
  const forward: SessionBackend['forward'] = (request, signal) =>
    askWhenBack(
      () => forwarder.forward(request, signal),
      signal,
      request.method === 'GET' ? undefined : wasNeverSent,
    )

  return {
    server,

    async openSession(request, signal) {
      const { watch, release } = directories.use(request.directory)
      try {
        // The connection is needed next anyway, and once it stands the server is known to be up.
        await watch.connected(patienceMs, signal)
        const { sessionID, isNew } = await orUnavailable(() => openSession(http, request, patienceMs, signal))
        if (isNew) unused.add(sessionID)
        return { sessionID }
      } finally {
        release()
      }
    },

    openedSince: (sinceMs) => orUnavailable(() => openedSince(http, sinceMs)),
    removeEmpty: (session) => orUnavailable(() => removeEmpty(http, session)),

    findSession(sessionID, signal) {
      let tryMs = FIRST_FIND_MS
      // A request that meets a server while it boots may hang for ever: first tries are short. Only one that
      // was too short makes the next one longer; being refused says nothing of how long an answer takes.
      const ask = async () => {
        const askedAt = Date.now()
        try {
          return await http.session(sessionID, undefined, signal, tryMs)
        } finally {
          if (Date.now() - askedAt > tryMs / 2) tryMs *= 2
        }
      }
      return orUnavailable(async () => {
        try {
          const { directory, parentID, metadata = {} } = await askWhenBack(ask, signal ?? NEVER)
          return { sessionID, directory, parentID, metadata }
        } catch (error) {
          if (error instanceof OpenCodeRefusal && error.status === 404) return undefined
          throw error
        }
      })
    },

    async *runTurn(turn, signal) {
      signal.throwIfAborted()
      const { watch, release } = directories.use(turn.directory)
      try {
        const isFirst = unused.delete(turn.sessionID)
        yield* runTurn(turn, { http, watch, patienceMs, isFirst, tap }, signal)
      } finally {
        release()
      }
    },

    abort({ sessionID, directory }, signal = NEVER) {
      directories.tell(directory, sessionID, { type: 'abort-asked' })
      const ask = <T>(request: () => Promise<T>): Promise<T> => patiently(patienceMs, signal, request)
      return orUnavailable(async () => {
        for (let tries = 0; tries < ABORT_TRIES; tries += 1) {
          await ask(() => http.abort(sessionID, directory, signal))
          const statuses = await ask(() => http.statuses(directory, signal))
          if (!isBusyIn(statuses, sessionID)) return
          await sleep(ABORT_PAUSE_MS, undefined, { signal })
        }
      })
    },

    openWorktree: (request, signal) =>
      openWorktree(http, request, (ask) => patiently(patienceMs, signal, ask), signal),

    worktreeDiff(worktree, directory) {
      const { signal } = new AbortController()
      return worktreeDiff(http, worktree, directory, (ask) => patiently(patienceMs, signal, ask), signal)
    },

    removeWorktree(request) {
      const { signal } = new AbortController()
      const ask = <T>(request: () => Promise<T>): Promise<T> => patiently(patienceMs, signal, request)
      return orUnavailable(() => removeWorktree(http, request, ask, signal))
    },

    spentOn(turn, signal) {
      const ask = <T>(request: () => Promise<T>): Promise<T> => patiently(patienceMs, signal, request)
      return orUnavailable(() => spentOn(turn, (id) => ask(() => http.messages(id, turn.directory, signal))))
    },

    answerAsk: (ask, answer) => orUnavailable(() => answerAsk(http, ask, answer)),

    running: (turns) => orUnavailable(() => runningTurns(http, turns)),

    answerTo: (session, messageID, signal) =>
      orUnavailable(() => askWhenBack(() => answerTo(http, session, messageID, signal), signal)),

    forward,

    events: (from, signal) => forwardEvents(forward, from, signal),

    catalog(directory, signal) {
      return orUnavailable(async () => {
        const [providers, agents, config] = await Promise.all([
          http.providers(directory, signal),
          http.agents(directory, signal),
          http.config(directory, signal),
        ])
        return catalogOf(providers, agents, config, freeProviders)
      })
    },

    ownDirectory: () =>
      orUnavailable(async () => (await askWhenBack(() => http.paths(undefined, NEVER), NEVER)).directory),

    check: (signal) => orUnavailable(() => http.health(signal)),

    async close() {
      forwarder.close()
      await directories.close()
    },
  }
}
