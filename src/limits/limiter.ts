/**
 * Slots, requests and tokens of models, providers and API keys, shared by all workers. Everything is decided in
 * Redis, by its clock: a task gets all of its limits at once or waits in the line of the first that refuses, and
 * what is free is given to who waits, by whoever frees it (docs/decisions/0017-limits.md).
 */
import { createBatcher } from '../redis/batcher.ts'
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
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
  /** Lets these tasks be delivered now: they were let through. What fails is done by who looks at `holders`. */
  wake(taskIDs: readonly string[]): Promise<void>
  /** For tests. */
  minuteMs?: number
}

export type Limiter = ReturnType<typeof createLimiter>

const MINUTE_MS = 60_000
const KINDS = { concurrency: 'concurrency', r: 'requests', t: 'tokens' } as const
const OPEN = { status: 'open' } as const

/**
 * Each method is atomic and one round trip, a further one where it lets others through. What is asked for in one turn
 * of the event loop goes together.
 */
export function createLimiter({ redis, scripts, keys, wake, minuteMs = MINUTE_MS }: LimiterDeps) {
  const holders = `${keys.limits}holders`
  const shared = [keys.limits, keys.live, keys.children(''), minuteMs]

  const ask = createBatcher<Ask, 1 | Refused>(async (asks) => {
    const reply = await scripts('ask-limits', [...shared, JSON.stringify(asks)])
    const [granted, ...answers] = reply as [string[], ...(1 | Refused)[]]
    await tell(granted)
    return answers
  })

  async function tell(granted: readonly string[]): Promise<void> {
    if (granted.length > 0) await wake(granted).catch(() => {})
  }

  return {
    /** Asks for a turn, and remembers who is refused. A task that was let through is let through again. */
    async enter(request: LimitRequest): Promise<LimitAnswer> {
      const { taskID, key, depth, limits, cost, how, before } = request
      const { requests, tokens } = cost
      const answer = await ask([taskID, costOf(before), limits, key ?? '', depth, requests, tokens, how])
      if (answer === 1) return OPEN
      const [limit, kind, used, of, place, opensInMs] = answer
      const shut = { limit, what: KINDS[kind], used, of, place }
      return { status: 'shut', ...shut, opensInMs: opensInMs < 0 ? undefined : opensInMs }
    },

    /** Lets go of all that a task has, and gives it to those who wait. */
    async leave(taskID: string, turn?: TurnCost): Promise<void> {
      await ask([taskID, costOf(turn)])
    },

    /** These limits hold from now on, and no others. One round trip more for each thousand that are let through. */
    async change(limits: ReadonlyMap<string, Caps>): Promise<void> {
      const args = [...limits].flatMap(([limit, caps]) => [
        limit,
        [caps.concurrency, caps.requestsPerMinute, caps.tokensPerMinute].map((cap) => cap ?? '-').join(' '),
      ])
      for (;;) {
        const granted = (await scripts('change-limits', [...shared, ...args])) as string[]
        if (granted.length === 0) return
        await tell(granted)
      }
    },

    /** Whether a task that waited was let through meanwhile. */
    isGranted: async (taskID: string): Promise<boolean> => (await redis.hexists(holders, taskID)) === 1,

    /** Who was let through and has not left, some at a time. One round trip for each piece. */
    holders: () => scanFields(redis, holders),
  }
}

function costOf(turn: TurnCost | undefined): Cost {
  return turn === undefined ? 0 : [turn.requests, turn.tokens]
}

type Cost = 0 | [requests: number, tokens: number]

/** As `ask-limits.lua` takes it: of one that enters, or of one that leaves. */
type Ask =
  | [
      ...[task: string, before: Cost, limits: readonly string[], key: string, depth: number],
      ...[requests: number, tokens: number, how: LimitRequest['how']],
    ]
  | [task: string, before: Cost]

type Refused = [string, keyof typeof KINDS, number, number, number, number]
