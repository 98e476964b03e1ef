/**
 * Slots, requests and tokens of models, providers and API keys, shared by all workers. Everything is decided in
 * Redis, by its clock: a task gets all of its limits at once or waits in the line of the first that refuses, and
 * what is free is given to who waits, by whoever frees it (docs/decisions/0017-limits.md).
 */
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import type { LimitsAsk, LimitsReply, Quotas } from '../redis/quotas.ts'
import { scanFields } from '../redis/scan-fields.ts'
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
}

export type LimitAnswer =
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
    }

export interface LimiterDeps {
  redis: RedisClient
  scripts: RunScript
  keys: Keys
  quotas: Quotas
}

export type Limiter = ReturnType<typeof createLimiter>

const KINDS = { concurrency: 'concurrency', r: 'requests', t: 'tokens' } as const
const NONE: readonly string[] = []
const OPEN = { status: 'open' } as const

/** Each method is atomic and one round trip, a further one where it lets others through. */
export function createLimiter({ redis, scripts, keys, quotas }: LimiterDeps) {
  const holders = `${keys.limits}holders`

  return {
    /** Asks for a turn, and remembers who is refused. A task that was let through is let through again. */
    async enter(request: LimitRequest): Promise<LimitAnswer> {
      const [reply] = await quotas.ask({ task: request.taskID, limits: asked(request) })
      return answered(reply)
    },

    /** Lets go of all that a task has, and gives it to those who wait. */
    async leave(taskID: string, turn?: TurnCost): Promise<void> {
      await quotas.ask({ task: taskID, limits: left(undefined, turn) })
    },

    /** These limits hold from now on, and no others. One round trip more for each thousand that are let through. */
    async change(limits: ReadonlyMap<string, Caps>): Promise<void> {
      const args = [...limits].flatMap(([limit, caps]) => [
        limit,
        [caps.concurrency, caps.requestsPerMinute, caps.tokensPerMinute].map((cap) => cap ?? '-').join(' '),
      ])
      for (;;) {
        const shared = [`${keys.limits}caps`, keys.root, quotas.minuteMs]
        const granted = (await scripts('change-limits', [...shared, ...args])) as string[]
        if (granted.length === 0) return
        await quotas.tell(granted)
      }
    },

    /** Whether a task that waited was let through meanwhile. */
    isGranted: async (taskID: string): Promise<boolean> => (await redis.hexists(holders, taskID)) === 1,

    /** Who was let through and has not left, some at a time. One round trip for each piece. */
    holders: () => scanFields(redis, holders),
  }
}

/** As `quotas.ask` takes it. */
export function asked({ key, depth, limits, cost, how, before }: LimitRequest): LimitsAsk {
  const { requests, tokens } = cost
  const requestsBefore = before?.requests ?? -1
  const tokensBefore = before?.tokens ?? -1
  return { how, requestsBefore, tokensBefore, requests, tokens, limits, key: key ?? '', depth }
}

/** The same for a task that leaves what it holds, if that is known. `turn`: what its last one has cost, if that is. */
export function left(limits: readonly string[] | undefined, turn: TurnCost | undefined): LimitsAsk {
  const before = { requestsBefore: turn?.requests ?? -1, tokensBefore: turn?.tokens ?? -1 }
  return { how: 'leave', ...before, requests: 0, tokens: 0, limits: limits ?? NONE, key: '', depth: 1 }
}

export function answered(reply: LimitsReply): LimitAnswer {
  if (reply === 1) return OPEN
  const [limit, kind, used, of, place, opensInMs] = reply
  const shut = { limit, what: KINDS[kind], used, of, place }
  return { status: 'shut', ...shut, opensInMs: opensInMs < 0 ? undefined : opensInMs }
}
