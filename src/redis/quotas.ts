/**
 * Limits and budgets, as the scripts take them: what a task asks of both goes together, and so does what is asked for in
 * one turn of the event loop. Who waits and may try then is woken by whoever made room.
 */
import { createBatcher } from './batcher.ts'
import type { Keys } from './keys.ts'
import { packArguments } from './pack-arguments.ts'
import type { RunScript } from './scripts.ts'

/** See `perform` in `limits.lua`. */
export interface LimitsAsk {
  readonly how: 'leave' | 'start' | 'next' | 'sent'
  /** Of its last turn; -1: nobody knows. */
  readonly requestsBefore: number
  readonly tokensBefore: number
  readonly requests: number
  readonly tokens: number
  /** The same array for the same limits, as far as one can tell: it is sent once. Of one that leaves what it held. */
  readonly limits: readonly string[]
  readonly key: string
  readonly depth: number
}

/** 1: let through, or not asked. */
export type LimitsReply =
  | 1
  | [
      ...[limit: string, what: 'concurrency' | 'r' | 't', used: number, of: number],
      ...[place: number, opensInMs: number],
    ]

/** A budget, as `budgets.lua` takes it. */
export interface BudgetFacts {
  readonly name: string
  readonly limit: number
  /** Who finds it spent waits for its next window. */
  readonly waits: boolean
  /** Of its windows around then, epoch ms. */
  starts(at: number): readonly number[]
}

export interface ShareFacts {
  readonly budget: BudgetFacts
  readonly spent: number
  readonly holds: boolean
  /** Spent from which another tier is to be taken; -1: none. */
  readonly leaveAt: number
}

/** See `perform` in `budgets.lua`. */
export interface MoneyAsk {
  readonly mode: 'hold' | 'top-up' | 'force' | 'settle' | 'end' | 'read' | 'look'
  readonly fence: number
  readonly wanted: number
  readonly least: number
  readonly order: number
  readonly shares: readonly ShareFacts[]
}

/** `0`: not asked, since the limits refused; 1: it got it. */
export type MoneyReply =
  | 0
  | 1
  | 'stale'
  | [what: 'refused' | 'downgrade' | 'read', decided: number, place: number, ...figures: number[]]

export interface QuotaAsk {
  readonly task: string
  readonly limits?: LimitsAsk | undefined
  readonly money?: MoneyAsk | undefined
}

export type QuotaReply = readonly [limits: LimitsReply, money: MoneyReply]

/** What scripts say to a batch, beside the answers: their clock and whom to wake. `[now]`: nothing was done. */
export type Heard = [now: number] | [now: number, woken: string[]]

export interface QuotasDeps {
  scripts: RunScript
  keys: Keys
  /** Lets these tasks be delivered now: they may try. What fails is done by whoever looks next. */
  wake(taskIDs: readonly string[]): Promise<void>
  now?(): number
  /** For tests. */
  minuteMs?: number
}

type Reply = [now: number] | [now: number, woken: string[], ...answers: (1 | QuotaReply)[]]

export type Quotas = ReturnType<typeof createQuotas>

const MINUTE_MS = 60_000
const GOT: QuotaReply = [1, 1]

export function createQuotas({ scripts, keys, wake, now = Date.now, minuteMs = MINUTE_MS }: QuotasDeps) {
  /** How far the clock of Redis is ahead of this one: its time is the only one that counts. */
  let aheadMs = 0

  const ask = createBatcher<QuotaAsk, QuotaReply>(async (asks) => {
    const packed = () => packArguments([keys.root, minuteMs, batchOf(asks)])
    const send = () => scripts('ask-quotas', [keys.holds, packed()])
    let reply = (await send()) as Reply
    aheadMs = reply[0] - now()
    // This clock is off by more than a window. It knows better now.
    if (reply.length === 1) reply = (await send()) as Reply
    const [at, woken, ...answers] = reply
    if (woken === undefined) throw new Error(`Cannot find the window of a budget that holds ${at}`)
    await tell(woken)
    return answers.map((answer) => (answer === 1 ? GOT : answer))
  })

  async function tell(woken: readonly string[]): Promise<void> {
    if (woken.length > 0) await wake(woken).catch(() => {})
  }

  /** As `quotas.lua` takes it. */
  function batchOf(asks: readonly QuotaAsk[]): readonly unknown[] {
    const limits = createIndex<readonly string[]>()
    const budgets = createIndex<BudgetFacts>()
    const lists = createIndex<string>()
    const rows = asks.map(({ limits: ofLimits = NO_LIMITS, money = NO_MONEY }) => {
      const { how, requestsBefore, tokensBefore, requests, tokens, key, depth } = ofLimits
      const { mode, fence, wanted, least, order, shares } = money
      const ofTurn = how === '' ? 0 : limits.of(ofLimits.limits)
      const list = mode === '' ? 0 : lists.of(listOf(shares, budgets))
      // biome-ignore format: as `quotas.lua` says it
      return [
        how, requestsBefore, tokensBefore, requests, tokens, ofTurn, key, depth,
        mode, fence, wanted, least, order, list, spentOf(shares),
      ]
    })
    const at = now() + aheadMs
    const facts = budgets.all.map((budget) => [
      ...[budget.name, budget.limit, budget.waits ? 1 : 0],
      ...budget.starts(at),
    ])
    return [limits.all, facts, lists.all.map(numbersOf), asks.map(({ task }) => task), ...columnsOf(rows)]
  }

  return {
    /** One round trip, atomic, and may be repeated; one more where it wakes others. */
    ask,
    batchOf,
    tell,
    minuteMs,
    /** Learns the time. `false`: the starts of windows were wrong. */
    heard([at, woken]: Heard): boolean {
      aheadMs = at - now()
      return woken !== undefined
    },
    /** Epoch ms by the clock of Redis, as far as it is known. */
    now: () => now() + aheadMs,
  }
}

const NOWHERE: readonly string[] = []
const NO_COST = { requestsBefore: -1, tokensBefore: -1, requests: 0, tokens: 0 }
const NO_LIMITS = { how: '', ...NO_COST, limits: NOWHERE, key: '', depth: 1 } as const
const NO_MONEY = { mode: '', fence: 0, wanted: 0, least: 0, order: 0, shares: [] } as const

/** `1,1,-1,2,1,-1`: a list of shares as `budgets.lua` takes it. */
function listOf(shares: readonly ShareFacts[], budgets: Index<BudgetFacts>): string {
  let list = ''
  for (const { budget, holds, leaveAt } of shares)
    list += `${list === '' ? '' : ','}${budgets.of(budget)},${holds ? 1 : 0},${leaveAt}`
  return list
}

function numbersOf(list: string): number[] {
  return list === '' ? [] : list.split(',').map(Number)
}

type Cell = string | number | readonly number[]

/**
 * What is the same in all rows, of which there is one at least; and what is not, by column: most of what is asked at once
 * is alike.
 */
function columnsOf(rows: readonly (readonly Cell[])[]): [row: Cell[], varying: (number | Cell[])[]] {
  const row = [...rows[0]!]
  const varying: (number | Cell[])[] = []
  for (const [column, cell] of row.entries()) {
    if (rows.every((other) => other[column] === cell)) continue
    varying.push(
      column + 1,
      rows.map((other) => other[column]!),
    )
    row[column] = 0
  }
  return [row, varying]
}

/** Of each share; a number where it is the same for all. */
function spentOf(shares: readonly ShareFacts[]): number | number[] {
  const first = shares[0]?.spent ?? 0
  return shares.every(({ spent }) => spent === first) ? first : shares.map(({ spent }) => spent)
}

interface Index<Thing> {
  readonly all: Thing[]
  /** Its number, from 1. */
  of(thing: Thing): number
}

function createIndex<Thing>(): Index<Thing> {
  const all: Thing[] = []
  return {
    all,
    of(thing) {
      // There are few.
      const at = all.indexOf(thing)
      return at === -1 ? all.push(thing) : at + 1
    },
  }
}
