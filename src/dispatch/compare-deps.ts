import type { Admitted } from '../operations/new-record.ts'
import type { WhenFinishedDeps } from '../operations/when-finished.ts'
import { whenFinished } from '../operations/when-finished.ts'
import { viewTask } from '../records/task-record.ts'
import { judge, type RunVerifier } from '../runner/judge.ts'
import { removeWorktreeOf } from '../runner/own-worktree.ts'
import type { CompareDeps } from '../runner/run-compare.ts'
import type { RunnerDeps } from '../runner/task-run.ts'
import type { ParsedTaskInput } from '../tasks/input.ts'
import type { Task } from '../tasks/task.ts'

export interface CompareDepsOptions {
  runner: RunnerDeps
  admitParsed(input: ParsedTaskInput, caller: string | null): Promise<Admitted>
  submitChild(id: string, admitted: Admitted): Promise<Task>
  cancel(id: string): Promise<Task>
  /** How the end of a task is heard of. */
  waiting: WhenFinishedDeps
  runVerifier: RunVerifier
}

/** What a comparison needs beside what any task needs: submitting, waiting, judging. */
export function createCompareDeps(options: CompareDepsOptions): CompareDeps {
  const { runner, admitParsed, submitChild, cancel, waiting, runVerifier } = options
  const { write, readLog, now } = runner
  return {
    write,
    readLog,
    now,
    cancel,
    async submit(taskID, input, keepsWorktree) {
      await submitChild(taskID, { ...(await admitParsed(input, null)), keepsWorktree })
    },
    async whenOver(taskID, signal) {
      return viewTask(await whenFinished(waiting, taskID, Number.POSITIVE_INFINITY, signal), now())
    },
    judge: ({ compare }, task, signal) => judge(compare!, task, runVerifier, signal),
    release: (taskID) => removeWorktreeOf(taskID, runner),
  }
}
