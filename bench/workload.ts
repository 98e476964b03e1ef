/** What is submitted and queued, by tierline and by BullMQ alone: the same payload of one kilobyte. */
import type { TaskInput } from '../src/tasks/input.ts'

export const TASK: TaskInput = { type: 'lint', prompt: 'Find what is never used. '.repeat(36) }

/** Limits are far away: no benchmark is about them. */
export const ROUTING_TABLE = `
tiers:
  fast: { models: [acme/nano], concurrency: 50 }
  stream: { models: [acme/nano], concurrency: 200 }
routes: { lint: fast, stream: stream }
default: fast
limits: { maxWaitingTasks: 1000000 }
retention: { maxFinishedTasks: 1000000 }
workers: { concurrency: 50 }
`
