/**
 * Reads and writes task records. Every method that writes is one round trip, and atomic.
 *
 * Writes of a running task carry the fence of its claim: a worker that was taken over is refused.
 */

import { ledgerDayOf, ledgerExpiresAt } from '../ledger/ledger-day.ts'
import type { LedgerEntries } from '../ledger/ledger-entries.ts'
import type { RedisClient } from '../redis/connect.ts'
import type { QuotaAsk } from '../redis/quotas.ts'
import type { NewEvent } from '../tasks/event.ts'
import type { TaskState } from '../tasks/state.ts'
import type { TaskFailure, WaitingFor } from '../tasks/task.ts'
import { flat, type RecordFields } from './record-fields.ts'
import { createRecordReader } from './record-reader.ts'
import { parseRecord, type TaskRecord } from './task-record.ts'
import { createTaskWrites, type TaskWritesOptions } from './task-writes.ts'

export interface RecordStoreOptions extends TaskWritesOptions {
  redis: RedisClient
}

/** `hasTurn`: it is its turn in the line of its session, and it holds that now. */
export type Claim =
  | { status: 'claimed'; record: TaskRecord; hasTurn: boolean }
  /** Nothing to run: no record, over already, delivered elsewhere, or failed by this claim. */
  | { status: 'gone' | 'finished' | 'moved' | 'poisoned' }

export interface Write {
  id: string
  fence: number
  /** The seq this write follows: repeated after a lost reply, it changes nothing. */
  seq: number
  now: number
  events: readonly NewEvent[]
  fields: RecordFields
  /** Moves the ledger of the day. Only with events or a state: without, a repeat would count twice. */
  ledger?: LedgerEntries
  /** State to move to, in the same step. `waiting` and `delayed` return the delivery. */
  to?: Exclude<TaskState, 'running'>
  /** What the task lets go of in the same step, when it is over by this write. */
  letGo?: LetGo
}

/** Of limits and budgets. */
export type LetGo = QuotaAsk

/** `next`: the tasks that may try now, since one that is over has let go of what they waited for. */
export type WriteResult =
  | { status: 'written'; seq: number; cancelRequested: boolean; next: readonly string[] }
  | { status: 'stale' }

export type RecordStore = ReturnType<typeof createRecordStore>

/** See `RecordStore`; the factory opens nothing and needs no close. */
export function createRecordStore(options: RecordStoreOptions) {
  const { redis, scripts, keys, logAgeMs } = options
  const writes = createTaskWrites(options)

  /**
   * Takes a task for one delivery: raises fence and attempt. The worker's first write opens the log.
   * `name` is this claim's own, so that one that is repeated after a lost reply counts once.
   */
  async function claim(
    id: string,
    options: { queue: string; name: string; now: number; maxDeliveries: number; poison: TaskFailure },
  ): Promise<Claim> {
    const { queue, name, now, maxDeliveries, poison } = options
    const args = [keys.root, id, queue, name, now, maxDeliveries, JSON.stringify(poison)]
    return parseClaim(id, JSON.parse((await scripts('claim-task', [keys.task(id), ...args])) as string))
  }

  /** `cancelled`: it waited and is over. `requested`: its worker was told. The queue is the record's. */
  async function cancel(
    id: string,
    now: number,
    error: TaskFailure,
  ): Promise<{ status: 'gone' | 'finished' | 'requested' | 'cancelled'; queue: string }> {
    return statusOf(await endWaiting(id, now, 'cancelled', error))
  }

  /** Fails a task that waits and never started. `false`: there is no such task. */
  async function expire(id: string, now: number, error: TaskFailure): Promise<boolean> {
    return statusOf<string>(await endWaiting(id, now, 'failed', error)).status === 'failed'
  }

  /** A log that ends in a failure is kept as long as its task. */
  function endWaiting(id: string, now: number, state: 'cancelled' | 'failed', error: TaskFailure) {
    return scripts('end-waiting-task', [
      keys.task(id),
      keys.log(id),
      keys.live,
      keys.ended(state),
      keys.finished,
      keys.tombstones,
      id,
      now,
      keys.channel(id),
      state,
      JSON.stringify(error),
      state === 'failed' ? '' : logAgeMs,
      keys.control,
    ])
  }

  /** Books what is due of a task that ended while no worker had it; what was booked since it was read is kept. */
  async function bookEnded(
    { id, fence }: Pick<TaskRecord, 'id' | 'fence'>,
    { fields, ledger }: Pick<Required<Write>, 'fields' | 'ledger'>,
    now: number,
  ): Promise<void> {
    const flatFields = flat(fields)
    await scripts('book-ended', [
      keys.task(id),
      keys.ledger(ledgerDayOf(now)),
      fence,
      ledgerExpiresAt(now, options.ledgerDays()),
      ...[flatFields.length, ...flatFields, ...ledger],
    ])
  }

  /** Puts a finished task back to waiting, with `fields` (its new route). */
  async function retry(
    id: string,
    now: number,
    fields: RecordFields,
  ): Promise<{ status: 'gone' | 'unfinished' | 'waiting'; queue: string }> {
    const reply = await scripts('retry-task', [
      keys.task(id),
      keys.log(id),
      keys.live,
      keys.finished,
      keys.ended('failed'),
      keys.ended('cancelled'),
      id,
      now,
      keys.channel(id),
      ...flat(fields),
    ])
    return statusOf(reply)
  }

  /** Removes a finished task with its log. */
  async function remove(id: string): Promise<{ status: 'gone' | 'unfinished' | 'removed'; queue: string }> {
    const reply = await scripts('remove-task', [
      keys.task(id),
      keys.log(id),
      keys.tasks,
      keys.finished,
      keys.ended('failed'),
      keys.ended('cancelled'),
      keys.children(id),
      id,
    ])
    return statusOf(reply)
  }

  /** Says what a new task waits for, before it is delivered. */
  async function setWaitingFor(id: string, waitingFor: WaitingFor): Promise<void> {
    await redis.hset(keys.task(id), 'waitingFor', JSON.stringify(waitingFor))
  }

  /** The delay of a delayed task is over now; nothing changes for any other. */
  async function endDelay(id: string, now: number): Promise<void> {
    await redis.hset(keys.task(id), 'delayUntil', now)
  }

  return {
    claim,
    write: writes.write,
    /** For who writes in the same step as something else. */
    writes,
    cancel,
    expire,
    bookEnded,
    retry,
    remove,
    setWaitingFor,
    endDelay,
    ...createRecordReader(redis, keys),
  }
}

/** Reads what `claim.lua` gives for a task. */
export function parseClaim(id: string, reply: unknown): Claim {
  const [status, fence, attempt, seq, startedAt, before, hasTurn] = reply as ClaimReply
  if (status !== 'claimed') return { status }
  const record = parseRecord(id, before)!
  record.state = 'running'
  record.fence = fence
  record.attempt = attempt
  record.seq = seq
  record.startedAt = Number(startedAt)
  return { status, record, hasTurn: hasTurn === 1 }
}

/** What `deliver.lua` gives: JSON, and the input of each task that is claimed, which is long and so not part of it. */
export type DeliveriesSaid = readonly [json: string, ...inputs: string[]]

/** For each job what BullMQ's script gives, the claim for `parseClaim`, and what else `deliver.lua` says. */
export function parseDeliveries<
  Delivered extends readonly [bull: unknown, claim?: unknown, ...rest: unknown[]],
>([json, ...inputs]: DeliveriesSaid): Delivered[] {
  const delivered = JSON.parse(json) as Delivered[]
  let next = 0
  for (const [, claim] of delivered) {
    const [status, , , , , before] = (claim ?? []) as Partial<ClaimReply>
    if (status === 'claimed') before!.input = inputs[next++]!
  }
  return delivered
}

type ClaimReply = [Claim['status'], number, number, number, string, Record<string, string>, number]

function statusOf<Status extends string>(reply: unknown): { status: Status; queue: string } {
  const [status, queue] = reply as [Status, string]
  return { status, queue }
}
