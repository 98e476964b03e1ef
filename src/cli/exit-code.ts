import { CommanderError } from 'commander'
import { ERRORS, isTierlineError } from '../errors.ts'
import type { TaskState } from '../tasks/state.ts'

/** What a shell learns. A script can tell a task that failed (1) from a command that could not do its work (2). */
export const EXIT = {
  ok: 0,
  /** A task that was waited for failed or was cancelled. */
  taskFailed: 1,
  /** The command could not do what it was asked: arguments, configuration, no server, refused. */
  usage: 2,
  /** No money left for it. */
  budget: 3,
  interrupted: 130,
} as const

const PAYMENT_REQUIRED = 402

/** For an error that ends a command. */
export function exitCodeOfError(error: unknown): number {
  // Help and version are "errors" of commander with code 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  if (!isTierlineError(error)) return EXIT.usage
  // A code that this version does not know came with its status.
  return isAboutMoney(error.code) || error.httpStatus === PAYMENT_REQUIRED ? EXIT.budget : EXIT.usage
}

/** For a task that was waited for. */
export function exitCodeOfTask({
  state,
  error,
}: {
  state: TaskState
  error: { code: string } | null
}): number {
  if (state === 'succeeded') return EXIT.ok
  return error !== null && isAboutMoney(error.code) ? EXIT.budget : EXIT.taskFailed
}

function isAboutMoney(code: string): boolean {
  const kinds: Readonly<Record<string, { status: number }>> = ERRORS
  return Object.hasOwn(kinds, code) && kinds[code]!.status === PAYMENT_REQUIRED
}
