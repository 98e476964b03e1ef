/**
 * BullMQ's backend for workers, which claims the task of each job in the step that gives the job out: a job is only
 * a delivery, so nothing is known of a task, nor may be done with it, before it is claimed.
 *
 * BullMQ's own scripts stay what they are, and run inside ours; only their events go nowhere
 * (docs/decisions/0020-claim-with-the-delivery.md).
 */
import { type BackendFactory, createRedisBackend, type RedisQueueBackend } from 'bullmq'
import type { RedisClient } from '../redis/connect.ts'
import { scriptSource } from '../redis/scripts.ts'
import { BULL_SCRIPTS } from './bullmq-scripts.ts'

type Arg = string | number
type Script = 'moveToActive' | 'moveToFinished'

/** What `deliver.lua` gives: BullMQ's own reply, the claim, how many jobs could be taken, and when a delayed one is due. */
type Reply = [bull: unknown, claim?: unknown, waiting?: number, nextDelayedAt?: number]

const NO_JOB = [0, 0, 0] as const

export interface ClaimingOptions {
  redis: RedisClient
  /** What follows BullMQ's arguments: see `deliver.lua`. Asked for each job. */
  claimArgs(): readonly Arg[]
  /** Hears of each claim before BullMQ gives the job to the processor. */
  onClaim(id: string, reply: unknown): void
  /** Whether the worker could take more than the job it asks for: if not, nobody counts what waits. */
  hasRoom(): boolean
  /** Hears with each job how many more could be taken then, at least. */
  onWaiting(jobs: number): void
}

/** What Redis is given instead of BullMQ's script of this name. */
export function claimingScript(script: Script): string {
  return `local function deliver(redis)\n${BULL_SCRIPTS[script].content}\nend\n${scriptSource('deliver')}`
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

    backend.execCommand = (client, name, given) => {
      if (name !== 'moveToActive' && name !== 'moveToFinished') return execute(client, name, given)
      // A worker with free slots asks again as soon as it has a job, and would begin with that only then.
      if (name === 'moveToActive' && emptyUntil !== undefined) {
        const reply = [...NO_JOB, emptyUntil]
        forget()
        return Promise.resolve(reply)
      }
      return take(name, [...given, ...claimArgs(), hasRoom() ? 1 : 0])
    }

    async function take(script: Script, withClaim: readonly Arg[]): Promise<unknown> {
      const command = redis as unknown as Record<string, (given: readonly Arg[]) => Promise<Reply>>
      const [reply, claim, waiting, nextDelayedAt] = await command[nameOf(script)]!(withClaim)
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

function nameOf(script: Script): string {
  return `${script}:claiming`
}
