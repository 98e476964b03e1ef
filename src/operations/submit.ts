/** Submit: check everything, then take it in. */
import type { BatchItem } from '../tasks/list-query.ts'
import { problemOf } from '../tasks/problem.ts'
import type { Task } from '../tasks/task.ts'
import { createTaskID } from '../tasks/task-id.ts'
import type { Admitted } from './new-record.ts'
import type { TakeIn } from './take-in.ts'

export interface SubmitDeps {
  /** Parses and decides; @throws {TierlineError} for everything that is wrong with the input. */
  admit(input: unknown, caller: string | null): Promise<Admitted>
  /** Takes over where an idempotency key is given. */
  submitOnce(input: unknown, caller: string | null): Promise<Accepted>
  takeIn: TakeIn
}

/** `status` is that of HTTP: 200 gives the first answer to a repeated idempotency key again. */
export interface Accepted {
  status: 200 | 202
  task: Task
}

export type Submit = ReturnType<typeof createSubmit>

/** See the functions it returns. */
export function createSubmit({ admit, submitOnce, takeIn }: SubmitDeps) {
  /** Resolves when the task is in Redis, ready for a worker. One round trip; see `TakeIn`. */
  async function submit(raw: unknown, caller: string | null = null): Promise<Task> {
    return (await accept(raw, caller)).task
  }

  /** As `submit`, and tells a repeat from a new task. `caller`: name of the API key, `null` without. */
  async function accept(raw: unknown, caller: string | null): Promise<Accepted> {
    if (hasKey(raw)) return submitOnce(raw, caller)
    return { status: 202, task: await submitAdmitted(await admit(raw, caller)) }
  }

  /** Repeated with the same id it changes nothing. */
  async function submitAdmitted(admitted: Admitted, id = createTaskID()): Promise<Task> {
    return (await takeIn(id, admitted)).task
  }

  /** One answer per input, in order; a refused one does not keep the others out. */
  async function submitMany(inputs: readonly unknown[], caller: string | null = null): Promise<BatchItem[]> {
    return Promise.all(
      inputs.map(async (input): Promise<BatchItem> => {
        try {
          return await accept(input, caller)
        } catch (error) {
          const problem = problemOf(error)
          return { status: problem.status, problem }
        }
      }),
    )
  }

  return { submit, submitAdmitted, accept, submitMany }
}

function hasKey(raw: unknown): boolean {
  return (
    typeof raw === 'object' && raw !== null && 'idempotencyKey' in raw && raw.idempotencyKey !== undefined
  )
}
