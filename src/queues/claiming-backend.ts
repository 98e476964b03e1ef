/**
 * BullMQ's backend for workers, which claims the task of each job in the step that gives the job out: a job is only
 * a delivery, so nothing is known of a task, nor may be done with it, before it is claimed.
 *
 * BullMQ's own scripts stay what they are, and run inside ours; only their events go nowhere
 * (docs/decisions/0020-claim-with-the-delivery.md).
 */
import { type BackendFactory, createRedisBackend, type RedisQueueBackend } from 'bullmq'
import { createBatcher } from '../redis/batcher.ts'
import type { RedisClient } from '../redis/connect.ts'
import { scriptSource } from '../redis/scripts.ts'
import { BULL_SCRIPTS } from './bullmq-scripts.ts'

type Arg = string | number
type Script = 'moveToActive' | 'moveToFinished'

/** What `deliver.lua` gives: BullMQ's own reply, the claim, how many jobs could be taken, and when a delayed one is due. */
type Reply = [bull: unknown, claim?: unknown, waiting?: number, nextDelayedAt?: number]

const NO_JOB = [0, 0, 0] as const
/** Each job keeps Redis busy for three times as long as another ask. */
const MOST_AT_ONCE = 8

export interface ClaimingOptions {
  redis: RedisClient
  /** What tells of the claims, for all of one script: see `deliver.lua`. */
  claimArgs(): readonly Arg[]
  /** Hears of each claim before BullMQ gives the job to the processor. */
  onClaim(id: string, reply: unknown): void
  /** Whether the worker could take more than the jobs it asks for: if not, nobody counts what waits. */
  hasRoom(): boolean
  /** Hears with each job how many more could be taken then, at least. */
  onWaiting(jobs: number): void
}

/** What Redis is given instead of BullMQ's script of this name. */
export function claimingScript(script: Script): string {
  return `local function deliver(redis, KEYS, ARGV)\n${BULL_SCRIPTS[script].content}\nend\n${scriptSource('deliver')}`
}

/** On the connection that the worker is given. */
export function claimingBackend({
  redis,
  claimArgs,
  onClaim,
  hasRoom,
  onWaiting,
}: ClaimingOptions): BackendFactory<RedisQueueBackend> {
  for (const script of ['moveToActive', 'moveToFinished'] as const)
    redis.defineCommand(nameOf(script), {
      lua: claimingScript(script),
      numberOfKeys: BULL_SCRIPTS[script].keys,
    })

  return (...args) => {
    const backend = createRedisBackend(...args)
    const execute = backend.execCommand.bind(backend)
    /** When the next delayed job is due, where nothing else waits; known for this turn of the event loop. */
    let emptyUntil: number | undefined
    const forget = () => {
      emptyUntil = undefined
    }
    const scripts = { moveToActive: batcherOf('moveToActive'), moveToFinished: batcherOf('moveToFinished') }

    backend.execCommand = (client, name, given) => {
      if (name !== 'moveToActive' && name !== 'moveToFinished') return execute(client, name, given)
      // A worker with free slots asks again as soon as it has a job, and would begin with that only then.
      if (name === 'moveToActive' && emptyUntil !== undefined) {
        const reply = [...NO_JOB, emptyUntil]
        forget()
        return Promise.resolve(reply)
      }
      return take(name, given)
    }

    async function take(script: Script, given: readonly Arg[]): Promise<unknown> {
      const [reply, claim, waiting, nextDelayedAt] = await scripts[script](given)
      onWaiting(waiting ?? 0)
      if (nextDelayedAt !== undefined) {
        emptyUntil = nextDelayedAt
        setImmediate(forget)
      }
      if (claim != null) onClaim((reply as [unknown, string])[1], claim)
      return reply
    }

    /** Each ask is what BullMQ gives its script: its keys, then its arguments. */
    function batcherOf(script: Script) {
      const command = redis as unknown as Record<string, (given: readonly Arg[]) => Promise<string>>
      const numberOfKeys = BULL_SCRIPTS[script].keys
      return createBatcher(
        async (asks: readonly (readonly Arg[])[]) => {
          const args = together(asks, numberOfKeys, [...claimArgs(), hasRoom() ? 1 : 0])
          return JSON.parse(await command[nameOf(script)]!(args)) as Reply[]
        },
        { most: MOST_AT_ONCE },
      )
    }
    return backend
  }
}

/** As `deliver.lua` takes them: keys that are those of the ask before are not said again. */
function together(asks: readonly (readonly Arg[])[], numberOfKeys: number, shared: readonly Arg[]): Arg[] {
  let before = asks[0]!
  const args = [...before.slice(0, numberOfKeys), ...shared]
  for (const ask of asks) {
    const others = args.push(0) - 1
    for (let key = 0; key < numberOfKeys; key += 1)
      if (ask[key] !== before[key]) args.push(key + 1, ask[key]!)
    args[others] = args.length - others - 1
    args.push(ask.length - numberOfKeys)
    for (let arg = numberOfKeys; arg < ask.length; arg += 1) args.push(ask[arg]!)
    before = ask
  }
  return args
}

function nameOf(script: Script): string {
  return `${script}:claiming`
}
