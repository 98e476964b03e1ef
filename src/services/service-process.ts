import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { LogFile } from './log-file.ts'
import { probeReady } from './probe-ready.ts'
import { signalGroup } from './process-group.ts'
import type { ServiceSpec } from './service-spec.ts'

/** Together with the rest of an end this stays below the two seconds that a guardian has. */
const GRACE_MS = 1_500

const LAST_LINES_MS = 250

export interface ServiceProcess {
  readonly pid: number
  /** What the service printed to say that it is ready. */
  readonly output: unknown
  readonly startedAt: number
  readonly exited: Promise<Exit>
  /** SIGTERM, then SIGKILL, to the service and all it started. */
  end(): Promise<void>
}

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

/**
 * Starts the process, as the leader of a session of its own, and waits until it is ready.
 *
 * @throws {Error} with the reason, when it is not ready in time, exits, or cannot be started; nothing is left
 *   running then. Aborting `signal` ends the wait and the process.
 */
export async function startServiceProcess(
  spec: ServiceSpec,
  log: LogFile,
  signal: AbortSignal,
): Promise<ServiceProcess> {
  const startedAt = Date.now()
  const child = spawn(spec.command, spec.args, {
    cwd: spec.cwd,
    env: spec.env,
    detached: true,
    stdio: 'pipe',
  })
  child.stderr.on('data', log.write)
  child.stdout.on('data', log.write)
  // A service that dies at once does not read its stdin; its exit says enough.
  child.stdin.on('error', () => {}).end(spec.stdin ?? '')
  const exited = exitOf(child)
  const end = (): Promise<void> => endGroup(child, exited)
  const giveUp = new AbortController()
  try {
    const output = await Promise.race([
      probeReady(
        spec.ready,
        () => readJsonLine(child.stdout),
        AbortSignal.any([signal, giveUp.signal, AbortSignal.timeout(spec.startTimeoutMs)]),
      ),
      exited.then((exit) => Promise.reject(new Error(describeExit(exit)))),
    ])
    return { pid: child.pid!, output, startedAt, exited, end }
  } catch (error) {
    await end()
    if (error instanceof DOMException && error.name === 'TimeoutError')
      throw new Error(`it was not ready after ${spec.startTimeoutMs} ms`)
    throw error
  } finally {
    giveUp.abort()
  }
}

/** `it exited with code 1`, `it was ended by SIGKILL` */
export function describeExit({ code, signal }: Exit): string {
  return signal ? `it was ended by ${signal}` : `it exited with code ${code}`
}

/** The first line that is JSON. What comes after it is not looked at: it may be one line without an end. */
function readJsonLine(stdout: Readable): Promise<unknown> {
  const lines = createInterface(stdout)
  return new Promise((resolve) => {
    lines.on('line', (line) => {
      if (!line.startsWith('{')) return
      try {
        resolve(JSON.parse(line))
      } catch {
        // A line that only looks like JSON.
        return
      }
      lines.close()
      // The log goes on.
      stdout.resume()
    })
  })
}

/** Rejects when it could not be started at all. */
async function exitOf(child: ChildProcess): Promise<Exit> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  // What it started must not live on beside its successor.
  signalGroup(child.pid!, 'SIGKILL')
  // Its last lines; whoever else holds the pipe open is not waited for.
  await once(child, 'close', { signal: AbortSignal.timeout(LAST_LINES_MS) }).catch(() => {})
  return { code, signal }
}

async function endGroup(child: ChildProcess, exited: Promise<Exit>): Promise<void> {
  if (child.pid === undefined) return
  const kill = setTimeout(() => signalGroup(child.pid!, 'SIGKILL'), GRACE_MS)
  if (child.exitCode === null && child.signalCode === null) signalGroup(child.pid, 'SIGTERM')
  await exited
  clearTimeout(kill)
}
