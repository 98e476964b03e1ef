/** One task as the board knows a job. */
import type { QueueJob, QueueJobJson } from '@bull-board/api/typings/app'
import { TierlineError } from '../../errors.ts'
import { modelOf } from '../../tasks/comparison-route.ts'
import { isTerminal } from '../../tasks/state.ts'
import type { Task } from '../../tasks/task.ts'
import type { BoardJob, BoardState, TaskPort } from '../ports.ts'
import { masked, maskedText } from './mask.ts'

export interface TaskJob extends QueueJob {
  id: string
  getState(): Promise<BoardState>
}

/** Acts through the tasks, never on the job itself: the record is the truth. */
export function createTaskJob(job: BoardJob, tasks: TaskPort): TaskJob {
  return {
    id: job.id,
    opts: {},
    getState: async () => job.state,
    toJSON: () => jsonOf(job),
    promote: async () => {
      await tasks.promote(job.id)
    },
    retry: async () => {
      await tasks.retry(job.id)
    },
    /** A task that is not over is cancelled and stays to be seen; one that is over goes. */
    remove: async () => {
      if (isTerminal(job.task.state)) await tasks.remove(job.id)
      else await tasks.cancel(job.id)
    },
    // The board takes a missing method for success.
    updateData: async () => {
      throw new TierlineError(
        'not_supported',
        `Cannot change the data of task "${job.id}": a task is not changed once submitted; cancel it and submit another`,
      )
    },
  }
}

function jsonOf({ id, name, task, data, processedBy }: BoardJob): QueueJobJson {
  return {
    id,
    name,
    data: masked(data),
    returnvalue: masked(storyOf(task)),
    progress: percentOf(task),
    attemptsMade: task.attempt,
    failedReason: task.error === null ? '' : maskedText(`${task.error.code}: ${task.error.message}`),
    stacktrace: [],
    timestamp: task.createdAt,
    // A task that was cancelled before its start has ended all the same.
    processedOn: task.startedAt ?? task.finishedAt,
    finishedOn: task.finishedAt,
    processedBy,
    opts: {},
  }
}

/** Where the task went and what it cost, beside its result. */
function storyOf(task: Task) {
  const { state, waitingFor, tier, server, sessionID, directory, usage, costMicroUsd, result } = task
  const model = modelOf(task.model, task.route)
  const route = task.route.steps.map(({ step, input, outcome }) => `${step} ${input}: ${outcome}`)
  return { state, waitingFor, tier, model, route, server, sessionID, directory, usage, costMicroUsd, result }
}

function percentOf({ state, progress }: Task): number {
  if (state === 'succeeded') return 100
  return Math.round((100 * Math.max(0, progress.message - 1)) / progress.messages)
}
