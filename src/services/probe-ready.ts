import { connectRedis } from '../redis/connect.ts'
import type { ReadyProbe } from './service-spec.ts'

const TRY_MS = 1_000
const BETWEEN_TRIES_MS = 50

/**
 * Resolves when the probe succeeds; rejects when the signal aborts.
 *
 * `readJson` gives the service's first line of JSON; asked at once, and of the services that are to print one.
 */
export async function probeReady(
  probe: ReadyProbe,
  readJson: () => Promise<unknown>,
  signal: AbortSignal,
): Promise<unknown> {
  if ('stdoutJson' in probe) return await abortable(readJson(), signal)
  const ask = 'http' in probe ? () => asksHttp(probe, signal) : () => asksRedis(probe.redis)
  for (;;) {
    signal.throwIfAborted()
    if (await ask()) return undefined
    await abortable(new Promise((resolve) => setTimeout(resolve, BETWEEN_TRIES_MS)), signal)
  }
}

/** A short time for each try: OpenCode never answers a request that comes while it boots. */
async function asksHttp(
  probe: { http: string; headers: Record<string, string> },
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const answer = await fetch(probe.http, {
      headers: probe.headers,
      signal: AbortSignal.any([signal, AbortSignal.timeout(TRY_MS)]),
    })
    await answer.body?.cancel()
    return answer.ok
  } catch {
    return false
  }
}

/** Whether it answers in time and has loaded its data. */
export async function asksRedis(url: string, patienceMs = TRY_MS): Promise<boolean> {
  try {
    const redis = await connectRedis(url, { name: 'tierline:probe', whenAway: 'fail', patienceMs })
    redis.disconnect()
    return true
  } catch {
    return false
  }
}

async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort)
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
