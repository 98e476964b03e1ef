/** One queue as the board shows it: BullMQ says which jobs there are and where, the records say what they are. */
import type { Job, JobType } from 'bullmq'
import { openingEvents } from '../records/opening-events.ts'
import type { RecordStore } from '../records/record-store.ts'
import { type TaskRecord, viewTask } from '../records/task-record.ts'
import type { TaskEvent } from '../tasks/event.ts'
import type { TaskState } from '../tasks/state.ts'
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
      return [boardJob(record, job, states.length === 1 ? states[0] : undefined)]
    })
  }

  /** `found`: the state whose list the job stands in. Else the record knows better than a job that was returned. */
  function boardJob(record: TaskRecord, job: Job | undefined, found?: BoardState): BoardJob {
    const task = viewTask(record, now())
    const state = STATE_OF[task.state]
    const isPrioritized = state === 'waiting' && (record.input.priority ?? 0) > 0
    return {
      id: record.id,
      name: record.type ?? 'task',
      state: found ?? (isPrioritized ? 'prioritized' : state),
      task,
      // As the producer wrote it, so that a copy of it says the same.
      data: { ...record.input },
      processedBy: job?.processedBy ?? null,
    }
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
    /** Also without a job: a task that was cancelled while it waited has none. */
    async job(id: string): Promise<BoardJob | undefined> {
      const [job, record] = await Promise.all([queue.getJob(id), records.read(id)])
      if (record === undefined || record.queue !== name) return undefined
      return boardJob(record, job)
    },
    /** The story of a task, a line each. */
    async logs(id: string): Promise<string[]> {
      const [record, log] = await Promise.all([records.read(id), readLog(id)])
      if (record === undefined || record.seq > 0) return storyOf(log)
      return storyOf(openingEvents(record).map((event, index) => ({ seq: index + 1, ...event })))
    },
    isPaused: () => queue.isPaused(),
    pause: () => queue.pause(),
    resume: () => queue.resume(),
    redisInfo,
  }
}

const STATE_OF: Record<TaskState, BoardState> = {
  waiting: 'waiting',
  delayed: 'delayed',
  running: 'active',
  succeeded: 'completed',
  failed: 'failed',
  cancelled: 'failed',
}
