/** Reads task records, one by one and by the sets they stand in. */
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import { runPipeline } from '../redis/run-pipeline.ts'
import { isTerminal, type TaskState } from '../tasks/state.ts'
import { parseRecord, type TaskRecord } from './task-record.ts'

export interface LiveTask {
  id: string
  queue: string
  state: TaskState
  /** Epoch ms; `undefined`: it has started. */
  waitsSince: number | undefined
  /** Its own; `undefined`: as all tasks. */
  queueTimeoutMs: number | undefined
}

const LIVE_FIELDS = ['state', 'queue', 'startedAt', 'createdAt', 'delayUntil', 'queueTimeoutMs'] as const

/** One round trip each, but where it says so. Opens nothing. */
export function createRecordReader(redis: RedisClient, keys: Keys) {
  async function read(id: string): Promise<TaskRecord | undefined> {
    const record = parseRecord(id, await redis.hgetall(keys.task(id)))
    if (record !== undefined) await countChildren([record])
    return record
  }

  /** In the order of the ids; one round trip, two when running parents are among them. */
  async function readMany(ids: readonly string[]): Promise<(TaskRecord | undefined)[]> {
    if (ids.length === 0) return []
    const pipeline = redis.pipeline()
    for (const id of ids) pipeline.hgetall(keys.task(id))
    const hashes = (await runPipeline(pipeline)) as Record<string, string>[]
    const records = hashes.map((hash, index) => parseRecord(ids[index]!, hash))
    await countChildren(records.filter((record) => record !== undefined))
    return records
  }

  /** Asks nothing where no running parent is among them. */
  async function countChildren(records: readonly TaskRecord[]): Promise<void> {
    const parents = records.filter(({ isParent, state }) => isParent && state === 'running')
    if (parents.length === 0) return
    const pipeline = redis.pipeline()
    for (const { id } of parents) pipeline.zinter(2, keys.children(id), keys.live)
    const replies = (await runPipeline(pipeline)) as string[][]
    for (const [index, live] of replies.entries()) parents[index]!.liveChildren = live.length
  }

  /** All children there ever were and are kept, oldest first. */
  async function childrenOf(id: string): Promise<string[]> {
    return redis.zrange(keys.children(id), '0', '-1')
  }

  /** Of those tasks, the ones that are not over, with the queue each waits in. One round trip. */
  async function liveQueues(ids: readonly string[]): Promise<LiveTask[]> {
    const pipeline = redis.pipeline()
    for (const id of ids) pipeline.hmget(keys.task(id), ...LIVE_FIELDS)
    const replies = (await runPipeline(pipeline)) as (string | null)[][]
    return replies.flatMap((reply, index) => {
      const [state, queue, startedAt, createdAt, delayUntil, queueTimeoutMs] = reply
      if (state === null || isTerminal(state as TaskState)) return []
      const live = { id: ids[index]!, queue: queue!, state: state as TaskState }
      const waitsSince = startedAt ? undefined : Math.max(Number(createdAt), Number(delayUntil))
      return [{ ...live, waitsSince, queueTimeoutMs: queueTimeoutMs ? Number(queueTimeoutMs) : undefined }]
    })
  }

  /** Of those tasks, the ones somebody asked to cancel, or those that have children. */
  async function having(field: 'cancelAt' | 'children', ids: readonly string[]): Promise<string[]> {
    const pipeline = redis.pipeline()
    for (const id of ids) pipeline.hexists(keys.task(id), field)
    const replies = await runPipeline(pipeline)
    return ids.filter((_, index) => replies[index] === 1)
  }

  /**
   * Ids, newest first, created before `cursor`; of these states at least, or of all when `undefined`.
   * With `parentID` its children only, of any state.
   */
  async function ids(
    states: readonly TaskState[] | undefined,
    cursor: string | undefined,
    count: number,
    parentID?: string,
  ): Promise<string[]> {
    const from = cursor === undefined ? '+' : `(${cursor}`
    const sets = parentID === undefined ? setsOf(states) : [keys.children(parentID)]
    const found = await Promise.all(
      sets.map((set) => redis.zrange(set, from, '-', 'BYLEX', 'REV', 'LIMIT', 0, count)),
    )
    return found.flat().sort().reverse().slice(0, count)
  }

  /** Finished tasks that retention lets go: too old, or beyond `keep` newest. At most `count`, oldest first. */
  async function expired(before: number, keep: number, count: number): Promise<string[]> {
    const [old, total] = await Promise.all([
      redis.zrange(keys.finished, '-inf', `(${before}`, 'BYSCORE', 'LIMIT', 0, count),
      redis.zcard(keys.finished),
    ])
    const surplus = Math.min(total - keep, count)
    if (surplus <= old.length) return old
    return redis.zrange(keys.finished, '0', String(surplus - 1))
  }

  /** The smallest sets that hold all tasks of these states. */
  function setsOf(states: readonly TaskState[] | undefined): string[] {
    if (states === undefined || states.includes('succeeded')) return [keys.tasks]
    const sets = states.map((state) =>
      state === 'failed' || state === 'cancelled' ? keys.ended(state) : keys.live,
    )
    return [...new Set(sets)]
  }

  return { read, readMany, liveQueues, childrenOf, having, ids, expired }
}
