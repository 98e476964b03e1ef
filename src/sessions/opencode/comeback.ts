import { isTierlineError } from '../../errors.ts'
import { isPassing, patiently } from './patience.ts'

/** Somebody waits for the answer, and a server that was killed is back in some seven seconds. */
const MOST_PATIENCE_MS = 20_000

/** Codes of a request of which no byte has left. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

/**
 * Patience with a server that is just being started again, for requests that somebody waits for: asks once more when
 * it says that it is well, as long as `mayRepeat` allows it of what went wrong. Throws the last error after 20 s, or
 * `patienceMs` where that is less.
 */
export type AskWhenBack = <T>(
  request: () => Promise<T>,
  signal: AbortSignal,
  mayRepeat?: (error: unknown) => boolean,
) => Promise<T>

export function createAskWhenBack(
  health: (signal: AbortSignal) => Promise<void>,
  patienceMs: number,
): AskWhenBack {
  const mostMs = Math.min(patienceMs, MOST_PATIENCE_MS)

  return (request, signal, mayRepeat = isPassing) => {
    let failure: unknown
    const ask = async () => {
      // A request that meets a server while it boots may hang for ever; this one is cut off soon.
      if (failure !== undefined)
        await health(signal).catch(() => {
          throw failure
        })
      try {
        return await request()
      } catch (error) {
        failure = error
        throw error
      }
    }
    return patiently(mostMs, signal, ask, mayRepeat)
  }
}

/** True: the server did not take the connection, so that whatever was asked may be asked again. */
export function wasNeverSent(error: unknown): boolean {
  if (!isTierlineError(error, 'opencode_unavailable')) return false
  const { code } = (error.cause ?? {}) as { code?: unknown }
  return typeof code === 'string' && NEVER_SENT.has(code)
}
