/** One queue as the board shows it: BullMQ says which jobs there are and where, the records say what they are. */
import type { Job, JobType } from 'bullmq'
import type { RecordStore } from '../records/record-store.ts'
import { viewTask } from '../records/task-record.ts'
import type { TaskEvent } from '../tasks/event.ts'
import type { Task } from '../tasks/task.ts'
import { storyOf } from './story.ts'
import type { TaskQueues } from './task-queues.ts'

export interface QueueBoardDeps {
  queues: TaskQueues
  records: RecordStore
  readLog(id: string): Promise<TaskEvent[]>
  redisInfo(): Promise<string>
  now(): number
}

export type BoardState = 'active' | 'waiting' | 'prioritized' | 'delayed' | 'completed' | 'failed'

export interface BoardJob {
  id: string
  name: string
  state: BoardState
  task: Task
  data: Record<string, unknown>
  processedBy: string | null
}

const STATES: readonly BoardState[] = ['active', 'waiting', 'prioritized', 'delayed', 'completed', 'failed']

/** Everything the board reads of one queue, and the two things it may do to it. */
export function createQueueBoard(name: string, { queues, records, readLog, redisInfo, now }: QueueBoardDeps) {
  const queue = queues.queue(name)

  async function boardJobs(
    jobs: readonly (Job | undefined)[],
    states: readonly BoardState[],
  ): Promise<BoardJob[]> {
    const present = jobs.filter((job) => job !== undefined)
    const found = await records.readMany(present.map((job) => job.id!))
    return present.flatMap((job, index) => {
      const record = found[index]
      // Its task was deleted a moment ago, or it is a delivery that never had a record.
      if (record === undefined) return []
      const state = states.length === 1 ? states[0]! : stateOf(job)
      const { prompt, messages, metadata, directory, agent, title } = record.input
      const data = {
        type: record.type,
        tier: record.tier,
        model: record.model,
        title,
        agent,
        directory,
        prompt,
        messages,
        metadata,
      }
      return [
        {
          id: record.id,
          name: job.name,
          state,
          task: viewTask(record, now()),
          data,
          processedBy: job.processedBy ?? null,
        },
      ]
    })
  }

  return {
    name,
    async counts(): Promise<Record<BoardState, number>> {
      return (await queue.getJobCounts(...(STATES as JobType[]))) as Record<BoardState, number>
    },
    /** Newest first; `end` is inclusive. */
    async jobs(states: readonly BoardState[], start: number, end: number): Promise<BoardJob[]> {
      return boardJobs(await queue.getJobs([...states] as JobType[], start, end, false), states)
    },
    async job(id: string): Promise<BoardJob | undefined> {
      return (await boardJobs([await queue.getJob(id)], []))[0]
    },
    /** The story of a task, a line each. */
    logs: async (id: string): Promise<string[]> => storyOf(await readLog(id)),
    isPaused: () => queue.isPaused(),
    pause: () => queue.pause(),
    resume: () => queue.resume(),
    redisInfo,
  }
}

/** From what the job itself knows, to save a round trip per job. */
function stateOf(job: Job): BoardState {
  if (job.finishedOn !== undefined) return job.failedReason ? 'failed' : 'completed'
  if (job.processedOn !== undefined) return 'active'
  if (job.delay > 0) return 'delayed'
  return job.priority > 0 ? 'prioritized' : 'waiting'
}
