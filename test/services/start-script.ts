import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface Script {
  process: ChildProcess
  /** The first line it printed, parsed. */
  output: unknown
  /** Resolves when it has ended. */
  kill(signal: NodeJS.Signals): Promise<void>
}

/** Runs a file of this folder and waits for its first line, which must be JSON. */
export async function startScript(file: string, ...args: string[]): Promise<Script> {
  const child = spawn(process.execPath, [join(import.meta.dirname, file), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const line = once(createInterface(child.stdout), 'line').then(([text]) => text as string)
  const output: unknown = JSON.parse(
    await Promise.race([
      line,
      exited.then(([code]) => Promise.reject(new Error(`Cannot run ${file}: it exited with code ${code}`))),
    ]),
  )
  return {
    process: child,
    output,
    async kill(signal) {
      child.kill(signal)
      await exited
    },
  }
}
