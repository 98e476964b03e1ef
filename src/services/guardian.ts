import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { TierlineError } from '../errors.ts'
import { type GuardianRequest, ServiceEvent } from './guardian-message.ts'
import { signalGroup } from './process-group.ts'
import type { ServiceSpec } from './service-spec.ts'
import { workerCommand } from './worker-command.ts'

/**
 * Runs services that must not outlive this process by more than two seconds, however it ends, and must not
 * die with a Ctrl-C before it has stopped in order.
 */
export interface Guardian {
  readonly pid: number
  /** Resolves when the service is ready. From then on it is started again whenever it dies. */
  start(spec: ServiceSpec): Promise<RunningService>
  /** Ends all services, within two seconds. May be called twice. */
  stop(): Promise<void>
}

export interface RunningService {
  readonly name: string
  readonly pid: number
  /** The line of JSON it printed, where it is to print one. */
  readonly output: unknown
}

export interface GuardianOptions {
  /** What the guardian itself has to complain about. */
  logFile: string
  /** Hears of every start, death and failure; `failed` is final. */
  onEvent?: (event: ServiceEvent) => void
}

const STOP_MS = 5_000

export async function startGuardian({ logFile, onEvent }: GuardianOptions): Promise<Guardian> {
  const child = await spawnGuardian(logFile)
  const starting = new Map<string, PromiseWithResolvers<RunningService>>()
  const pids = new Map<string, number>()
  let stopping = false
  let gone = false

  const hear = (event: ServiceEvent): void => {
    const { name } = event
    const waiting = starting.get(name)
    starting.delete(name)
    if (event.type === 'ready') {
      pids.set(name, event.pid)
      waiting?.resolve({ name, pid: event.pid, output: event.output })
    } else {
      pids.delete(name)
      if (event.type === 'failed') waiting?.reject(new TierlineError('service_failed', event.message))
    }
    onEvent?.(event)
  }
  createInterface(child.stdout).on('line', (line) => hear(ServiceEvent.parse(JSON.parse(line))))
  // It may be gone before we know.
  child.stdin.on('error', () => {})

  const exited = once(child, 'close').then(([exitCode]) => {
    gone = true
    // It ends all services before it exits by itself; when it was killed they still run.
    if (exitCode !== 0) for (const pid of pids.values()) signalGroup(pid, 'SIGKILL')
    const lost = stopping ? starting.keys() : [...starting.keys(), ...pids.keys()]
    for (const name of lost) hear({ type: 'failed', name, message: lostMessage(name, logFile) })
  })

  return {
    pid: child.pid!,
    start(spec) {
      if (gone) throw new TierlineError('service_failed', lostMessage(spec.name, logFile))
      if (starting.has(spec.name) || pids.has(spec.name))
        throw new RangeError(
          `Cannot start the service "${spec.name}": one of this name runs, names must differ`,
        )
      const waiting = Promise.withResolvers<RunningService>()
      starting.set(spec.name, waiting)
      child.stdin.write(`${JSON.stringify({ start: spec } satisfies GuardianRequest)}\n`)
      return waiting.promise
    },
    async stop() {
      stopping = true
      child.stdin.end()
      const kill = setTimeout(() => signalGroup(child.pid!, 'SIGKILL'), STOP_MS)
      await exited
      clearTimeout(kill)
    },
  }
}

async function spawnGuardian(logFile: string): Promise<ChildProcessByStdio<Writable, Readable, null>> {
  mkdirSync(dirname(logFile), { recursive: true, mode: 0o700 })
  const log = openSync(logFile, 'w', 0o600)
  const { command, args } = workerCommand('guardian')
  const child = spawn(command, args, { detached: true, stdio: ['pipe', 'pipe', log] })
  closeSync(log)
  await once(child, 'spawn')
  return child as ChildProcessByStdio<Writable, Readable, null>
}

function lostMessage(name: string, logFile: string): string {
  return `Cannot run the service "${name}": the guardian process is gone, "${logFile}" may say why`
}
