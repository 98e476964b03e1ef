/** Commands that judge what a task changed. They stand in the configuration file only; a task names one. */
import { spawn } from 'node:child_process'

export interface Verifier {
  /** Program and arguments; no shell reads them. */
  readonly run: readonly string[]
  readonly timeoutMs: number
}

const SHOWN_CHARS = 2_000
/** As many bytes as that many characters may have. */
const KEPT_BYTES = 4 * SHOWN_CHARS
/** What left the group may hold the output open for ever: for the last words no longer than that. */
const LAST_WORDS_MS = 250
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
  const { PATH, HOME } = environment
  const env = { ...(PATH !== undefined && { PATH }), ...(HOME !== undefined && { HOME }) }
  let child: ReturnType<typeof start>
  try {
    child = start(run, directory, env)
  } catch (error) {
    // Most of what keeps it from starting comes as an event, some is thrown.
    return { passed: false, detail: couldNotRun(error as Error) }
  }
  let output: Buffer = Buffer.alloc(0)
  const take = (chunk: Buffer) => {
    output = Buffer.concat([output, chunk]).subarray(-KEPT_BYTES)
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
  let lastWords: NodeJS.Timeout | undefined
  const outcome = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(couldNotRun(error)))
    child.once('exit', (code) => {
      // What it left running would keep its output open.
      kill('')
      lastWords = setTimeout(() => resolve(ended(code)), LAST_WORDS_MS)
    })
    child.once('close', (code) => resolve(ended(code)))
  })
  clearTimeout(timer)
  clearTimeout(lastWords)
  signal.removeEventListener('abort', onAbort)
  child.stdout.destroy()
  child.stderr.destroy()
  const problem = end || outcome
  const shown = output.toString().trimEnd().slice(-SHOWN_CHARS)
  return { passed: problem === '', detail: [problem, shown].filter((part) => part !== '').join('\n') }
}

function start([command, ...args]: readonly string[], cwd: string, env: Record<string, string>) {
  return spawn(command!, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
}

function ended(code: number | null): string {
  return code === 0 ? '' : `ended with ${code ?? 'a signal'}`
}

function couldNotRun({ message }: Error): string {
  return `could not be run: ${message}`
}
