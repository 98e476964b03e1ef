/** One delivery, from the claim to the move that BullMQ is told. */
import type { Gate } from '../gates/gate.ts'
import type { Gatekeeper } from '../gates/gatekeeper.ts'
import type { DeliveryOutcome, EndOfJob, EndTogether } from '../queues/task-worker.ts'
import type { Claim, RecordStore, Write } from '../records/record-store.ts'
import type { TaskRecord } from '../records/task-record.ts'
import type { RunSignals } from '../runner/interruption.ts'
import type { Disposition } from '../runner/task-run.ts'
import type { NewEvent } from '../tasks/event.ts'
import type { TaskFailure } from '../tasks/task.ts'
import { type MoveTaskDeps, moveTask } from './move-task.ts'
import { parkTask } from './park-task.ts'
import { refuseTask } from './refuse-task.ts'
import type { RunningTasks } from './running-tasks.ts'

/** Deliveries that were neither finished nor returned, before a task counts as one that breaks its worker. */
export const MAX_DELIVERIES = 5

export const POISON: TaskFailure = {
  code: 'too_many_deliveries',
  message: `The worker that ran this task died, ${MAX_DELIVERIES} times in a row; it is not tried again by itself`,
  retryable: false,
}

type FinishedEvent = Extract<NewEvent, { type: 'task-finished' }>

export interface HandleDeliveryDeps extends MoveTaskDeps {
  records: RecordStore
  running: RunningTasks
  gates: Gatekeeper
  run(record: TaskRecord, signals: RunSignals): Promise<Disposition>
  /** Ends the turn of a task that broke its workers, and books it. Never rejects. */
  endLeftTurn(record: TaskRecord): Promise<void>
  /** Called when another worker has the task, or it is over: nothing of it may go on because of this run. */
  onStale(record: TaskRecord): Promise<void>
  now(): number
}

/** Runs a task that is claimed. Errors that are nobody's fault but the code's are thrown: BullMQ shows them. */
export function createDeliveryHandler(deps: HandleDeliveryDeps) {
  const { records, running, gates, run, endLeftTurn, onStale, now } = deps

  async function letGo(passed: readonly Gate[], id: string, disposition: Disposition): Promise<void> {
    // Whoever takes it over holds what it holds: its turn goes on meanwhile.
    if (disposition.status === 'stale' || disposition.status === 'handed-over') return
    // Where it waits now it must stay known.
    const at = disposition.status === 'parked' ? disposition.wait.waitingFor.reason : undefined
    const isOver = disposition.status === 'finished'
    const left = passed.filter((gate) => gate.reason !== at && !(isOver && gate.isLeftWithLastWrite))
    if (left.length > 0) await gates.leave(left, id, isOver)
  }

  return async (id: string, claim: Claim, endTogether: EndTogether): Promise<DeliveryOutcome> => {
    if (claim.status === 'poisoned') {
      const broken = await records.read(id)
      if (broken !== undefined) {
        await endLeftTurn(broken)
        await gates.leave(gates.gatesOf(broken), id, true)
      }
      return { status: 'failed', reason: `${POISON.code}: ${POISON.message}` }
    }
    if (claim.status !== 'claimed') return { status: 'completed', note: `stale: ${claim.status}` }
    const { record } = claim
    const { leave, ...signals } = running.enter(id, record.isParent)
    const toPass = gates.gatesOf(record)
    const toAsk = claim.hasTurn ? toPass.filter(({ reason }) => reason !== 'session') : toPass
    try {
      // One that is to be cancelled has nothing to wait for.
      const refusal =
        toAsk.length === 0 || record.cancelAt !== null ? undefined : await gates.pass(toAsk, record)
      if (refusal?.status === 'shut') return await parkTask(record, refusal, records, now())
      if (refusal?.status === 'moved') return await moveTask(record, refusal, deps)
      if (refusal?.status === 'refused') {
        const outcome = await refuseTask(record, refusal.error, records, now())
        if (outcome.status === 'failed') await gates.leave(toPass, id, true)
        return outcome
      }
      const isOverWithLastWrite =
        toPass.every(({ isLeftWithLastWrite }) => isLeftWithLastWrite) &&
        record.input.isolation !== 'worktree'
      const end = (write: Write) => endTogether(write, endOf(write))
      const disposition = await run(record, isOverWithLastWrite ? { ...signals, end } : signals)
      if (disposition.status === 'stale') await onStale(record)
      if (toPass.length > 0) await letGo(toPass, id, disposition)
      return outcomeOf(disposition)
    } finally {
      leave()
    }
  }
}

/** The last event of a task says how it ended. */
function endOf({ events }: Write): EndOfJob {
  const last = events.at(-1)
  if (last?.type !== 'task-finished') throw new Error('The last write of a task does not say how it ended')
  return endIn(last)
}

function endIn({ state, error }: Pick<FinishedEvent, 'state' | 'error'>): EndOfJob {
  return state === 'succeeded'
    ? { status: 'completed', note: state }
    : { status: 'failed', reason: `${error!.code}: ${error!.message}` }
}

function outcomeOf(disposition: Disposition): DeliveryOutcome {
  switch (disposition.status) {
    case 'finished':
      return endIn(disposition)
    case 'backoff':
      return { status: 'delayed', delayMs: disposition.delayMs }
    case 'parked': {
      const { wakeInMs, isOpenNow } = disposition.wait
      return { status: 'parked', wakeInMs, isOpenNow }
    }
    case 'handed-over':
      return { status: 'returned' }
    case 'stale':
      return { status: 'completed', note: 'stale: taken over' }
  }
}
