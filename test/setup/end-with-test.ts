import type { ChildProcess } from 'node:child_process'
import { onTestFinished } from 'vitest'

/** A test that fails or runs out of time leaves this process behind no more than one that passes. */
export function endWithTest(child: ChildProcess): void {
  try {
    onTestFinished(() => void child.kill('SIGKILL'))
  } catch {
    // No test: a script, which waits for the end.
  }
}
