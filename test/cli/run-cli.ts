/** The command line as a shell runs it: a process of its own. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endWithTest } from '../setup/end-with-test.ts'

export const BIN = new URL('../../src/cli/bin.js', import.meta.url).pathname

export interface CliRun {
  readonly child: ChildProcessWithoutNullStreams
  /** What came so far. */
  readonly stdout: string
  readonly stderr: string
  /** Resolves when the process is gone and all it wrote was read. */
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>
}

export interface CliOptions {
  env?: NodeJS.ProcessEnv
  cwd?: string
  stdin?: string
  node?: string
  nodeArgs?: readonly string[]
}

/** Without the environment of whoever runs the tests, which may point to a server of theirs. */
export function startCli(args: readonly string[], options: CliOptions = {}): CliRun {
  const { env, cwd = tmpdir(), stdin = '', node = process.execPath, nodeArgs = [] } = options
  const child = spawn(node, [...nodeArgs, BIN, ...args], {
    cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, NODE_NO_WARNINGS: '1', ...env },
  })
  endWithTest(child)
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
    })
  }
  child.stdin.end(stdin)
  return {
    child,
    get stdout() {
      return output.stdout
    },
    get stderr() {
      return output.stderr
    },
    ended: once(child, 'close').then(([code]) => ({ code, ...output })),
  }
}

export function runCli(args: readonly string[], options?: CliOptions): CliRun['ended'] {
  return startCli(args, options).ended
}

/** A directory of this test's own, removed afterwards. */
export async function withDirectory<Result>(use: (path: string) => Promise<Result>): Promise<Result> {
  const path = await mkdtemp(join(tmpdir(), 'tierline-cli-'))
  try {
    return await use(path)
  } finally {
    await rm(path, { recursive: true, force: true })
  }
}
