import type { Keys } from '../redis/keys.ts'
import type { RunScript } from '../redis/scripts.ts'
import { flat, type RecordFields } from './record-fields.ts'

/** Levels of tasks below each other, the topmost included. */
export const MAX_DEPTH = 5

/** Why a task may not have this parent: each is an error code. */
export type ParentRefusal = 'unknown_parent' | 'parent_finished' | 'nested_too_deep'

export interface NewChild {
  id: string
  parentTaskID: string
  state: 'waiting' | 'delayed'
  fields: RecordFields
  /** An idempotency key, and the answer to keep under it. */
  once?: { key: string; answer: string; ageMs: number }
}

export type ChildCreated =
  | { status: 'created' | 'exists' | 'full' | ParentRefusal }
  /** The idempotency key was used before; `answer` is what was kept then. */
  | { status: 'repeated'; answer: string }

/** Writes a record below another one, which must not be over or about to be cancelled. Atomic, one round trip. */
export async function createChild(
  { scripts, keys, maxWaitingTasks }: { scripts: RunScript; keys: Keys; maxWaitingTasks: number },
  { id, parentTaskID, state, fields, once }: NewChild,
): Promise<ChildCreated> {
  const [status, answer] = (await scripts('create-child-task', [
    keys.task(id),
    keys.tasks,
    keys.live,
    keys.task(parentTaskID),
    keys.children(parentTaskID),
    once?.key ?? keys.task(id),
    id,
    maxWaitingTasks,
    MAX_DEPTH,
    parentTaskID,
    keys.control,
    once?.answer ?? '',
    once?.ageMs ?? 0,
    'state',
    state,
    ...flat(fields),
  ])) as [ChildCreated['status'], string]
  return status === 'repeated' ? { status, answer } : { status }
}
