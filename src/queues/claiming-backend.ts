/**
 * BullMQ's backend for workers, which claims the task of each job in the step that gives the job out: a job is only
 * a delivery, so nothing is known of a task, nor may be done with it, before it is claimed. The last write of a task
 * goes along with the move of its job.
 *
 * BullMQ's own scripts stay what they are, and run inside ours; only their events go nowhere
 * (docs/decisions/0020-claim-with-the-delivery.md).
 */
import { type BackendFactory, createRedisBackend, type RedisQueueBackend } from 'bullmq'
import { type DeliveriesSaid, parseDeliveries, type Write } from '../records/record-store.ts'
import type { TaskWrites, WriteReply } from '../records/task-writes.ts'
import { createBatcher } from '../redis/batcher.ts'
import type { RedisClient } from '../redis/connect.ts'
import { packArguments } from '../redis/pack-arguments.ts'
import { createScript } from '../redis/script.ts'
import { scriptSource } from '../redis/scripts.ts'
import { BULL_SCRIPTS } from './bullmq-scripts.ts'
import { endBlocking } from './end-blocking.ts'

type Arg = string | number | Buffer | null | undefined
type Script = 'moveToActive' | 'moveToFinished'

/** What BullMQ gives its script, its keys and then its arguments; and the write that goes before it. */
interface Ask {
  given: readonly Arg[]
  write?: Write | undefined
}

/**
 * What `deliver.lua` gives: BullMQ's own reply, `false` where the job stays; the claim, how many jobs could be taken, and
 * when a delayed one is due.
 */
type Delivered = [bull: unknown, claim?: unknown, waiting?: number, nextDelayedAt?: number]

interface Answer {
  delivered: Delivered
  written?: WriteReply | undefined
}

const NO_JOB = [0, 0, 0] as const
/** Each job keeps Redis busy for three times as long as another ask. */
const MOST_AT_ONCE = 8
const SURROUNDING = { moveToActive: 'next-tasks', moveToFinished: 'end-tasks' } as const

export interface ClaimingOptions {
  redis: RedisClient
  writes: Pick<TaskWrites, 'callOf' | 'repliesOf'>
  /** What tells of the claims, for all of one script: see `deliver.lua`. */
  claimArgs(): readonly (string | number)[]
  /** What is to be written in the step that moves this job; asked for once. `undefined`: nothing. */
  lastWriteOf(jobId: string): LastWrite | undefined
  /** Hears of each claim before BullMQ gives the job to the processor. */
  onClaim(id: string, reply: unknown): void
  /** Whether the worker could take more than the jobs it asks for: if not, nobody counts what waits. */
  hasRoom(): boolean
  /** Hears with each job how many more could be taken then, at least. */
  onWaiting(jobs: number): void
}

/** A write, and its reply once the script was carried out. Where it is refused, the move of the job rejects. */
export interface LastWrite {
  write: Write
  reply?: WriteReply
}

/** What Redis is given instead of BullMQ's script of this name. */
export function claimingScript(script: Script): string {
  return `local function deliver(redis, KEYS, ARGV)\n${BULL_SCRIPTS[script].content}\nend\n${scriptSource(SURROUNDING[script])}`
}

/** On the connection that the worker is given. */
export function claimingBackend(options: ClaimingOptions): BackendFactory<RedisQueueBackend> {
  const { redis, writes, claimArgs, lastWriteOf, onClaim, hasRoom, onWaiting } = options
  const nextTasks = createScript(claimingScript('moveToActive'))
  const endTasks = createScript(claimingScript('moveToFinished'))
  const bullKeys = { active: BULL_SCRIPTS.moveToActive.keys, finished: BULL_SCRIPTS.moveToFinished.keys }

  async function next(asks: readonly Ask[]): Promise<Answer[]> {
    const { keys, jobs, long } = together(asks, bullKeys.active)
    const packed = packArguments([...claimArgs(), hasRoom(), jobs])
    const said = await nextTasks(redis, keys.length, [...keys, packed, ...long])
    return parseDeliveries<Delivered>(said as DeliveriesSaid).map((delivered) => ({ delivered }))
  }

  async function end(asks: readonly Ask[]): Promise<Answer[]> {
    const written = asks.flatMap(({ write }) => write ?? [])
    const call = written.length > 0 ? writes.callOf(written) : NO_WRITES
    const { keys, jobs, long } = together(asks, bullKeys.finished, call.texts)
    const packed = packArguments([...claimArgs(), hasRoom(), jobs])
    const allKeys = [...keys, ...call.keys]
    const said = await endTasks(redis, allKeys.length, [
      ...allKeys,
      keys.length,
      call.packed,
      packed,
      ...long,
    ])
    const [replied, deliveries] = said as [WriteReply[], DeliveriesSaid]
    const replies = [...(await writes.repliesOf(replied, written))]
    return parseDeliveries<Delivered>(deliveries).map((delivered, index) => ({
      delivered,
      written: asks[index]!.write && replies.shift(),
    }))
  }

  return (...args) => {
    const backend = endBlocking(createRedisBackend(...args))
    const execute = backend.execCommand.bind(backend)
    /** When the next delayed job is due, where nothing else waits; known for this turn of the event loop. */
    let emptyUntil: number | undefined
    const forget = () => {
      emptyUntil = undefined
    }
    const asking = {
      moveToActive: createBatcher(next, { most: MOST_AT_ONCE }),
      moveToFinished: createBatcher(end, { most: MOST_AT_ONCE }),
    }

    backend.execCommand = (client, name, given) => {
      if (name === 'moveToFinished') return finish(given)
      if (name !== 'moveToActive') return execute(client, name, given)
      // A worker with free slots asks again as soon as it has a job, and would begin with that only then.
      if (emptyUntil === undefined) return take(name, given)
      const reply = [...NO_JOB, emptyUntil]
      forget()
      return Promise.resolve(reply)
    }

    /** The first argument of BullMQ's script is the id of the job. */
    function finish(given: readonly Arg[]): Promise<unknown> {
      const last = lastWriteOf(given[bullKeys.finished] as string)
      return take('moveToFinished', given, last)
    }

    async function take(script: Script, given: readonly Arg[], last?: LastWrite): Promise<unknown> {
      const { delivered, written } = await asking[script]({ given, write: last?.write })
      if (written !== undefined) last!.reply = written
      const [reply, claim, waiting, nextDelayedAt] = delivered
      if (reply === false)
        throw new Error(
          `Cannot end the job of task "${last!.write.id}": the task took no write, so its job stays`,
        )
      onWaiting(waiting ?? 0)
      if (nextDelayedAt !== undefined) {
        emptyUntil = nextDelayedAt
        setImmediate(forget)
      }
      if (claim != null) onClaim((reply as [unknown, string])[1], claim)
      return reply
    }
    return backend
  }
}

const NO_WRITES = { keys: [], packed: '', texts: [] } as const

interface Together {
  keys: string[]
  jobs: unknown[]
  /** The texts of the writes, and after them what jobs have that is no text. */
  long: (string | Buffer)[]
}

/** As `deliver.lua` takes them: keys that are those of the ask before are not said again. */
function together(asks: readonly Ask[], numberOfKeys: number, texts: readonly string[] = []): Together {
  let before = asks[0]!.given
  const keys = before.slice(0, numberOfKeys) as string[]
  const long: (string | Buffer)[] = [...texts]
  let writes = 0
  const jobs = asks.map(({ given, write }) => {
    const others: unknown[] = []
    for (let key = 0; key < numberOfKeys; key += 1)
      if (given[key] !== before[key]) others.push(key + 1, given[key])
    before = given
    const args = given
      .slice(numberOfKeys)
      // What is no text is not packed once more: Redis 7 reads no bytes within.
      .map((arg) => (Buffer.isBuffer(arg) ? long.push(arg) : `${arg ?? ''}`))
    return [write === undefined ? 0 : ++writes, others, args]
  })
  return { keys, jobs, long }
}
