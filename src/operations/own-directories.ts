import type { SessionBackend } from '../sessions/backend.ts'
import { unlessAborted } from '../sessions/unless-aborted.ts'

/** The real path. @throws {TierlineError} `directory_not_allowed`. */
export type CheckOwnDirectory = (directory: string, server: string) => Promise<string>

export interface OwnDirectoriesDeps {
  backends: readonly SessionBackend[]
  /** `null`: any directory may be used, so nobody asks which one that is. */
  check(): CheckOwnDirectory | null
}

/** A server that somebody else runs may be started again elsewhere. */
const FRESH_MS = 60_000

interface Known {
  directory: string | undefined
  learnedAt: number
  learning: Promise<string> | undefined
}

export type OwnDirectories = ReturnType<typeof createOwnDirectories>

/**
 * Where the servers work when nobody names a directory, held to the allowed ones as any that is named. Each server is
 * asked with the first request that needs it, then once a minute, which nobody waits for.
 */
export function createOwnDirectories({ backends, check }: OwnDirectoriesDeps, now = Date.now) {
  const known = new Map<SessionBackend, Known>()

  function learn(backend: SessionBackend, entry: Known): Promise<string> {
    entry.learning ??= backend
      .ownDirectory()
      .then((directory) => {
        entry.directory = directory
        return directory
      })
      .finally(() => {
        entry.learnedAt = now()
        entry.learning = undefined
      })
    return entry.learning
  }

  async function ownOf(backend: SessionBackend): Promise<string> {
    const entry = known.get(backend) ?? { directory: undefined, learnedAt: 0, learning: undefined }
    known.set(backend, entry)
    if (entry.directory === undefined) return learn(backend, entry)
    // The last answer holds while the server is away.
    if (now() - entry.learnedAt > FRESH_MS) learn(backend, entry).catch(() => {})
    return entry.directory
  }

  /**
   * Where that server works.
   *
   * @throws {TierlineError} `directory_not_allowed`, `opencode_unavailable` while nothing is known yet.
   * @throws the reason of `signal` when that aborts.
   */
  async function of(backend: SessionBackend, signal: AbortSignal): Promise<string> {
    const directory = await unlessAborted(signal, ownOf(backend))
    return (await check()?.(directory, backend.server)) ?? directory
  }

  return {
    of,

    /** As `of`, where it matters: the real path; `undefined`: any directory may be used, and nobody was asked. */
    async check(backend: SessionBackend, signal: AbortSignal): Promise<string | undefined> {
      return check() === null ? undefined : of(backend, signal)
    },

    /**
     * For a task without a directory, which may go to any of the servers. `undefined`: any directory may be used, so
     * there is nothing to wait for. Rejects as `of` throws.
     */
    checkAll(): Promise<unknown> | undefined {
      const checkOwn = check()
      if (checkOwn === null) return undefined
      return Promise.all(backends.map(async (backend) => checkOwn(await ownOf(backend), backend.server)))
    },
  }
}
