import { createRemembered } from '../catalog/remembered.ts'
import type { SessionBackend } from '../sessions/backend.ts'
import { unlessAborted } from '../sessions/unless-aborted.ts'

/** The real path. @throws {TierlineError} `directory_not_allowed`. */
export type CheckOwnDirectory = (directory: string, server: string) => Promise<string>

export interface OwnDirectoriesDeps {
  backends: readonly SessionBackend[]
  /** `null`: any directory may be used, so nobody asks which one that is. */
  check(): CheckOwnDirectory | null
}

export type OwnDirectories = ReturnType<typeof createOwnDirectories>

/**
 * Where the servers work when nobody names a directory, held to the allowed ones as any that is named. Each server is
 * asked with the first request that needs it, then once a minute, which nobody waits for.
 */
export function createOwnDirectories({ backends, check }: OwnDirectoriesDeps, now = Date.now) {
  // A server that somebody else runs may be started again elsewhere.
  const known = new Map(
    backends.map((backend) => [backend, createRemembered(() => backend.ownDirectory(), now)] as const),
  )
  const ownOf = (backend: SessionBackend): Promise<string> => known.get(backend)!.get()

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
