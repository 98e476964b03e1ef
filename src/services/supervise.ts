import { setTimeout as delay } from 'node:timers/promises'
import type { ServiceEvent } from './guardian-message.ts'
import { killWhenSilent } from './kill-when-silent.ts'
import { createLogFile } from './log-file.ts'
import { describeExit, type ServiceProcess, startServiceProcess } from './service-process.ts'
import type { ServiceSpec } from './service-spec.ts'

const MAX_DELAY_MS = 10_000
const LINES_SHOWN = 20

/**
 * Keeps one service running: starts it, starts it again when it dies, tells what happens.
 *
 * A first start that fails is final; later ones are tried again. The function returned ends the service and
 * all attempts, and resolves when nothing of it is left.
 */
export function supervise(spec: ServiceSpec, report: (event: ServiceEvent) => void): () => Promise<void> {
  const { name, restart, health } = spec
  const log = createLogFile(spec.logFile)
  const stopping = new AbortController()
  let service: ServiceProcess | undefined

  /** Resolves with the reason when it is gone. */
  const live = async (restarts: number): Promise<string> => {
    service = await startServiceProcess(spec, log, stopping.signal)
    report({ type: 'ready', name, pid: service.pid, restarts, output: service.output })
    const gone = new AbortController()
    if (health) void killWhenSilent(health, service.pid, AbortSignal.any([stopping.signal, gone.signal]))
    const exit = describeExit(await service.exited)
    gone.abort()
    if (!stopping.signal.aborted) report({ type: 'exited', name, pid: service.pid, exit })
    return exit
  }

  const run = async (): Promise<void> => {
    let startedAt = Date.now()
    let lastWords = await live(0)
    let quickDeaths = 0
    for (let restarts = 1; !stopping.signal.aborted; restarts += 1) {
      quickDeaths = Date.now() - startedAt < restart.quickDeathMs ? quickDeaths + 1 : 1
      if (quickDeaths > restart.maxQuickDeaths)
        throw new Error(`it died ${quickDeaths} times, each soon after its start; at last ${lastWords}`)
      await delay(backoffMs(restart.delayMs, quickDeaths), undefined, { signal: stopping.signal })
      startedAt = Date.now()
      lastWords = await live(restarts).catch(messageOf)
    }
  }

  const done = run()
    .catch((error: unknown) => {
      if (stopping.signal.aborted) return
      report({ type: 'failed', name, message: explain(spec, messageOf(error), log.tail(LINES_SHOWN)) })
    })
    .finally(log.close)

  return async () => {
    stopping.abort()
    await service?.end()
    await done
  }
}

function backoffMs(delayMs: number, deaths: number): number {
  return Math.min(delayMs * 2 ** (deaths - 1), MAX_DELAY_MS)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function explain(spec: ServiceSpec, why: string, tail: string): string {
  const printed = tail === '' ? 'it printed nothing' : `its last lines:\n${tail}`
  const message = `Cannot run the service "${spec.name}" (${spec.command}): ${why}; ${printed}`
  return spec.secrets.reduce((text, secret) => text.replaceAll(secret, '***'), message)
}
