import type { TaskRecord } from '../records/task-record.ts'
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import { runPipeline } from '../redis/run-pipeline.ts'
import type { RunScript } from '../redis/scripts.ts'
import type { Entry, Gate, Shut } from './gate.ts'

export interface TurnstileDeps {
  redis: RedisClient
  scripts: RunScript
  keys: Keys
  /** Of these tasks, those that cannot hold the gate, or wait for it, any more. One round trip. */
  withoutClaim(tasks: {
    holders: readonly string[]
    heldFor: Gate['heldFor']
    waiters: readonly string[]
  }): Promise<string[]>
  /** Lets these tasks be delivered now. One that is not put off is left alone. */
  wake(taskIDs: readonly string[]): Promise<void>
}

export interface TurnstileOptions {
  /** Unique in the namespace: `session:ses_…`. */
  name: string
  reason: Gate['reason']
  heldFor: Gate['heldFor']
  /**
   * True: strictly one after the other in the order of submit, whoever is delivered first. Tasks get their
   * place in line when they are submitted (`scripts/line.lua`). False: whoever comes first while nobody holds it; who waits
   * is woken in the order of submit.
   */
  isStrict: boolean
  isLeftWithLastWrite?: boolean
  /** What people are told. */
  detail(before: number): string
}

export interface Turnstile extends Gate {
  /** What `enter` says to a task that has so many before it. */
  shutBehind(before: number): Shut
  /**
   * Lets those go that can neither hold it nor wait for it any more, and wakes who may try then: a process that dies says
   * no word. Three round trips, one more for each that is gone or woken.
   */
  look(): Promise<void>
  /** How many wait. One round trip. */
  waits(): Promise<number>
  /** Who holds it, then who waits, in their order. One round trip. */
  tasks(): Promise<string[]>
}

/** Should nobody look after the gates either. For each who waits before it. */
const SAFETY_WAKE_MS = 30_000
const LONGEST_SAFETY_WAKE_MS = 10 * 60_000
const NOBODY = ''
const OPEN = { status: 'open' } as const

/** A gate for one at a time. Each method is one round trip, but for `look`, and one more where it wakes others. */
export function createTurnstile(deps: TurnstileDeps, options: TurnstileOptions): Turnstile {
  const { redis, scripts, keys, wake } = deps
  const { name, reason, heldFor, isStrict, detail, isLeftWithLastWrite = false } = options
  const { holding, waiting } = keys.gate(name)

  async function enter({ id, createdAt }: TaskRecord): Promise<Entry> {
    const order = isStrict ? '' : createdAt
    const before = await scripts('enter-gate', [keys.gateOrder, keys.root, name, id, order])
    return before === 0 ? OPEN : shutBehind(before as number)
  }

  function shutBehind(before: number): Shut {
    const wakeInMs = Math.min(before * SAFETY_WAKE_MS, LONGEST_SAFETY_WAKE_MS)
    return { status: 'shut', detail: detail(before), until: null, wakeInMs }
  }

  /** Gives who may try then. */
  async function letGo(taskID: string): Promise<readonly string[]> {
    return (await scripts('leave-gate', [keys.gateOrder, keys.root, name, taskID])) as string[]
  }

  async function look(): Promise<void> {
    const replies = await runPipeline(redis.pipeline().smembers(holding).zrange(waiting, '0', '0'))
    const [holders, waiters] = replies as [string[], string[]]
    const gone = await deps.withoutClaim({ holders, heldFor, waiters })
    for (const id of gone) await letGo(id)
    await wake(await letGo(NOBODY))
  }

  return {
    reason,
    heldFor,
    isLeftWithLastWrite,
    enter,
    leave: async (taskID) => wake(await letGo(taskID)),
    look,
    async isOpenTo(taskID) {
      const replies = await runPipeline(redis.pipeline().scard(holding).zrank(waiting, taskID))
      const [held, place] = replies as [number, number | null]
      return place === null || place + held === 0
    },
    shutBehind,
    waits: () => redis.zcard(waiting),
    async tasks() {
      const replies = await runPipeline(redis.pipeline().smembers(holding).zrange(waiting, '0', '-1'))
      return (replies as string[][]).flat()
    },
  }
}
