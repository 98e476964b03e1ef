/**
 * Slots, requests and tokens of models, providers and API keys, shared by all workers. Everything is decided in
 * Redis, by its clock: a task gets all of its limits at once or waits in the line of the first that refuses, and
 * what is free is given to who waits, by whoever frees it (docs/decisions/0017-limits.md).
 */
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import type { RunScript } from '../redis/scripts.ts'
import type { Caps } from '../routing/table.ts'

export interface TurnCost {
  /** Steps of the model: each is a request to its provider. */
  requests: number
  tokens: number
}

export interface LimitRequest {
  taskID: string
  /** Whose turn it takes while it waits: the name of an API key. */
  key: string | null
  /** 1 for a task without a parent. */
  depth: number
  /** Names, as `change` knows them; a name it does not know is no limit. */
  limits: readonly string[]
  /** What the turn will cost, as far as one can tell. */
  cost: TurnCost
  /** `next`: one more of a task that runs; `sent`: was sent already, so that it must be let through. */
  how: 'start' | 'next' | 'sent'
  /** What its turn before has cost. */
  before?: TurnCost | undefined
  /** Who has a slot for at least so long is shown to who is refused. */
  holdersFromMs?: number
}

export type LimitAnswer = {
  /** Others that were let through by this: they must be woken. */
  granted: readonly string[]
} & (
  | { status: 'open' }
  | {
      status: 'shut'
      limit: string
      what: 'concurrency' | 'requests' | 'tokens'
      used: number
      of: number
      /** In line, from 1. */
      place: number
      /** When it should be let through; `undefined`: when somebody leaves. */
      opensInMs: number | undefined
      holders: readonly string[]
    }
)

export interface LimiterDeps {
  redis: RedisClient
  scripts: RunScript
  keys: Keys
  /** For tests. */
  minuteMs?: number
}

export type Limiter = ReturnType<typeof createLimiter>

const MINUTE_MS = 60_000
const KINDS = { concurrency: 'concurrency', r: 'requests', t: 'tokens' } as const

/** Each method is one round trip, and atomic. */
export function createLimiter({ redis, scripts, keys, minuteMs = MINUTE_MS }: LimiterDeps) {
  const shared = [keys.limits, keys.live, keys.children(''), minuteMs]

  return {
    /** Asks for a turn, and remembers who is refused. A task that was let through is let through again. */
    async enter(request: LimitRequest): Promise<LimitAnswer> {
      const { taskID, key, depth, limits, cost, how, before, holdersFromMs } = request
      const reply = (await scripts('enter-limits', [
        ...shared,
        taskID,
        key ?? '',
        depth,
        cost.requests,
        cost.tokens,
        how,
        before?.requests ?? '',
        before?.tokens ?? '',
        holdersFromMs ?? '',
        ...limits,
      ])) as [1, string[]] | Refused
      const granted = reply[1]
      if (reply[0] === 1) return { status: 'open', granted }
      const [, , limit, kind, used, of, place, opensInMs, holders] = reply
      return {
        ...{ status: 'shut', granted, limit, what: KINDS[kind], used, of, place, holders },
        opensInMs: opensInMs < 0 ? undefined : opensInMs,
      }
    },

    /** Lets go of all that a task has. Gives the tasks that are let through by this. */
    async leave(taskID: string, turn?: TurnCost): Promise<string[]> {
      const args = [...shared, taskID, turn?.requests ?? '', turn?.tokens ?? '']
      return (await scripts('leave-limits', args)) as string[]
    },

    /** These limits hold from now on, and no others. Gives the tasks that are let through by this. */
    async change(limits: ReadonlyMap<string, Caps>): Promise<string[]> {
      const args = [...limits].flatMap(([limit, caps]) => [
        limit,
        [caps.concurrency, caps.requestsPerMinute, caps.tokensPerMinute].map((cap) => cap ?? '-').join(' '),
      ])
      return (await scripts('change-limits', [...shared, ...args])) as string[]
    },

    /** Whether a task that waited was let through meanwhile. */
    async isGranted(taskID: string): Promise<boolean> {
      const entry = await redis.hget(`${keys.limits}tasks`, taskID)
      return entry !== null && (JSON.parse(entry) as { granted?: boolean }).granted === true
    },
  }
}

type Refused = [0, string[], string, keyof typeof KINDS, number, number, number, number, string[]]
