import type { JobsOptions } from 'bullmq'
import { priorityOf, type TakenTurn, type Turn } from './fair-turns.ts'

/** "Look at this task now": what becomes a job of BullMQ. */
export interface Delivery {
  id: string
  queue: string
  /** Name of the job: the task type, or `task`. */
  name: string
  /** Shown on the board; never read by a worker. */
  summary: Record<string, unknown>
  /** 0 first, 9 last. */
  priority: number
  /** Where API keys take turns. */
  turn?: TakenTurn | undefined
  delayMs: number
}

/** What `Queue.add` takes. */
export function jobOf({ id, name, summary, priority, turn, delayMs }: Delivery) {
  const place = turn?.priority ?? priorityOf(priority)
  const options: JobsOptions = {
    jobId: id,
    ...(place > 0 && { priority: place }),
    ...(delayMs > 0 && { delay: delayMs }),
  }
  return { name, data: turn === undefined ? summary : { ...summary, turn: jobTurn(turn) }, options }
}

/** What a job carries of its turn; `undefined`: it has none. */
export function turnOf(data: unknown): Turn | undefined {
  return typeof data === 'object' && data !== null && 'turn' in data ? (data.turn as Turn) : undefined
}

function jobTurn({ level, number }: Turn): Turn {
  return { level, number }
}
