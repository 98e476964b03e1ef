import type { TaskRecord } from '../records/task-record.ts'
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
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
}

export interface TurnstileOptions {
  /** Unique in the namespace: `session:ses_…`. */
  name: string
  reason: Gate['reason']
  heldFor: Gate['heldFor']
  /** How many may hold it at once. */
  capacity: number
  /**
   * True: strictly one after the other in the order of submit, whoever is delivered first. Tasks get their
   * place in line when they are submitted (`scripts/line.lua`). False: whoever comes first while there is room; who waits is woken in the order of submit.
   */
  isStrict: boolean
  isLeftWithLastWrite?: boolean
  /** What people are told: `place` counts from 1. */
  detail(place: number): string
}

export interface Turnstile extends Gate {
  /** What `enter` says to a task that has so many before it. */
  shutBehind(before: number): Shut
  /**
   * Lets those go that can neither hold it nor wait for it any more, and gives who may try then: a process that dies says
   * no word. Three round trips, one more for each that is gone.
   */
  look(): Promise<readonly string[]>
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

/** A gate for so many at once. Each method is one round trip, but for `look`. */
export function createTurnstile(deps: TurnstileDeps, options: TurnstileOptions): Turnstile {
  const { redis, scripts, keys } = deps
  const { name, reason, heldFor, capacity, isStrict, detail, isLeftWithLastWrite = false } = options
  const { holding, waiting } = keys.gate(name)
  const line = [holding, waiting, keys.gateOrder, keys.gateLines]

  async function enter({ id, createdAt }: TaskRecord): Promise<Entry> {
    const order = isStrict ? '' : createdAt
    const place = await scripts('enter-gate', [...line, id, capacity, isStrict ? 1 : 0, order, name])
    return place === 0 ? OPEN : shutAt(place as number)
  }

  function shutAt(place: number): Shut {
    const wakeInMs = Math.min(place * SAFETY_WAKE_MS, LONGEST_SAFETY_WAKE_MS)
    return { status: 'shut', detail: detail(place), until: null, wakeInMs }
  }

  async function leave(taskID: string): Promise<readonly string[]> {
    return (await scripts('leave-gate', [
      holding,
      waiting,
      keys.gateLines,
      taskID,
      capacity,
      name,
    ])) as string[]
  }

  async function look(): Promise<readonly string[]> {
    const replies = await redis
      .pipeline()
      .smembers(holding)
      .zrange(waiting, '0', String(capacity - 1))
      .exec()
    const [holders, waiters] = replies!.map(([, reply]) => reply) as [string[], string[]]
    const gone = await deps.withoutClaim({ holders, heldFor, waiters })
    for (const id of gone) await leave(id)
    return leave(NOBODY)
  }

  return {
    reason,
    heldFor,
    isLeftWithLastWrite,
    enter,
    leave,
    look,
    async isOpenTo(taskID) {
      const replies = await redis.pipeline().scard(holding).zrank(waiting, taskID).exec()
      const [held, place] = replies!.map(([, reply]) => reply) as [number, number | null]
      return place === null || place < capacity - held
    },
    shutBehind: shutAt,
    waits: () => redis.zcard(waiting),
    async tasks() {
      const replies = await redis.pipeline().smembers(holding).zrange(waiting, '0', '-1').exec()
      return replies!.flatMap(([, reply]) => reply as string[])
    },
  }
}
