import { setTimeout as delay } from 'node:timers/promises'
import { asksRedis } from './probe-ready.ts'
import { signalGroup } from './process-group.ts'
import type { HealthCheck } from './service-spec.ts'

/**
 * Asks a running Redis again and again, and kills it with all it started when it stays silent, so that it is
 * started again like one that died. Resolves when it has, or when the signal aborts.
 */
export async function killWhenSilent(check: HealthCheck, pid: number, signal: AbortSignal): Promise<void> {
  const { redis, everyMs, patienceMs, maxSilent } = check
  let silent = 0
  while (silent < maxSilent) {
    await delay(everyMs, undefined, { signal }).catch(() => {})
    if (signal.aborted) return
    silent = (await asksRedis(redis, patienceMs)) ? 0 : silent + 1
  }
  if (!signal.aborted) signalGroup(pid, 'SIGKILL')
}
