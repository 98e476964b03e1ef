/** Commands that judge what a task changed. They stand in the configuration file only; a task names one. */
import { spawn } from 'node:child_process'

export interface Verifier {
  /** Program and arguments; no shell reads them. */
  readonly run: readonly string[]
  readonly timeoutMs: number
}

const MOST_OUTPUT_BYTES = 64 * 1024
const SHOWN_CHARS = 2_000
const STOPPED = 'was stopped'

/**
 * Runs it in a process group of its own, which is killed at the end of its time or when `signal` aborts.
 * Of the environment it sees `PATH` and `HOME`. Never throws: what cannot be run has not passed.
 */
export async function runVerifier(
  { run, timeoutMs }: Verifier,
  directory: string,
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<{ passed: boolean; detail: string }> {
  if (signal.aborted) return { passed: false, detail: STOPPED }
  const [command, ...args] = run
  const { PATH, HOME } = environment
  const child = spawn(command!, args, {
    cwd: directory,
    env: { ...(PATH !== undefined && { PATH }), ...(HOME !== undefined && { HOME }) },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const take = (chunk: Buffer) => {
    if (output.length < MOST_OUTPUT_BYTES) output += chunk.toString('utf8')
  }
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  let end: string | undefined
  const kill = (why: string) => {
    end ??= why
    // The group: what it started goes with it.
    if (child.pid !== undefined)
      try {
        process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It has ended.
      }
  }
  const timer = setTimeout(() => kill(`took longer than ${timeoutMs} ms`), timeoutMs)
  const onAbort = () => kill(STOPPED)
  signal.addEventListener('abort', onAbort)
  const outcome = await new Promise<string>((resolve) => {
    child.once('error', ({ message }) => resolve(`could not be run: ${message}`))
    // What it left running would keep its output open.
    child.once('exit', () => kill(''))
    child.once('close', (code) => resolve(code === 0 ? '' : `ended with ${code ?? 'a signal'}`))
  })
  clearTimeout(timer)
  signal.removeEventListener('abort', onAbort)
  const problem = end || outcome
  const shown = output.trimEnd().slice(-SHOWN_CHARS)
  return { passed: problem === '', detail: [problem, shown].filter((part) => part !== '').join('\n') }
}
