import { type BudgetStore, createBudgetStore } from '../budget/budget-store.ts'
import { createLimitDesk, type LimitDesk } from '../dispatch/limit-desk.ts'
import type { Gate } from '../gates/gate.ts'
import { createLimiter } from '../limits/limiter.ts'
import { budgetLine } from '../operations/budget-line.ts'
import { createTakeTurn } from '../operations/take-turn.ts'
import { createTaskGates, type TaskGates } from '../operations/task-gates.ts'
import { createFairTurns } from '../queues/fair-turns.ts'
import { createTaskQueues } from '../queues/task-queues.ts'
import { createAskStore } from '../records/ask-store.ts'
import { createRecordStore } from '../records/record-store.ts'
import type { TaskRecord } from '../records/task-record.ts'
import { createTombstoneStore } from '../records/tombstone-store.ts'
import { createWorktreeStore } from '../records/worktree-store.ts'
import type { RedisClient } from '../redis/connect.ts'
import { createQuotas } from '../redis/quotas.ts'
import { scriptsOn } from '../redis/scripts.ts'
import type { Foundation } from './foundation.ts'

/** Gates beside those of session and directory; what has none to pass gives `undefined` in its place. */
export type MoreGates = (
  record: TaskRecord,
  desk: LimitDesk,
  budgets: BudgetStore,
) => readonly (Gate | undefined)[]

export type Stores = ReturnType<typeof storesOn>

/**
 * All that is kept in Redis, over one connection. A worker gives the gates that its tasks must pass, as `moreGates`;
 * by default they only let go of limits and budgets, which is all that others do with them.
 */
export function storesOn(
  { options, config, limits, table, keys, now }: Foundation,
  redis: RedisClient,
  moreGates: MoreGates = (record, desk, budgets) => [
    desk.exitOf(record),
    budgetLine(record, { store: budgets, table }),
  ],
) {
  const parts = { redis, scripts: scriptsOn(redis), keys }
  const queues = createTaskQueues({ redis, keys })
  const wake = (ids: readonly string[]) => gates.wake(ids)
  const quotas = createQuotas({ ...parts, wake, ...(options.minuteMs && { minuteMs: options.minuteMs }) })
  const records = createRecordStore({
    ...{ ...limits, ...parts, quotas },
    ledgerDays: () => config.limits().ledgerDays,
  })
  const desk = createLimitDesk({
    limiter: createLimiter({ ...parts, quotas }),
    ...{ table, wake },
    liveTasks: records.liveQueues,
    now,
  })
  const budgets = createBudgetStore({ ...parts, quotas })
  const gates: TaskGates = createTaskGates({
    ...{ ...parts, records, queues },
    moreGates: (record) => moreGates(record, desk, budgets).filter((gate) => gate !== undefined),
  })
  // Who runs tasks need not know whether there are several keys: jobs that have a turn say so.
  const turns = createFairTurns({ redis, keys })
  return {
    parts,
    queues,
    records,
    quotas,
    desk,
    budgets,
    gates,
    turns,
    takeTurn: createTakeTurn(options.takesTurns ? turns : undefined),
    asks: createAskStore(parts),
    tombstones: createTombstoneStore(parts),
    worktrees: createWorktreeStore(parts),
  }
}
