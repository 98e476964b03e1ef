import { abortRevived } from '../dispatch/abort-revived.ts'
import { closeConnections } from '../dispatch/close-connections.ts'
import { lookAfterBudgets } from '../dispatch/look-after-budgets.ts'
import { startMaintenance } from '../dispatch/maintenance.ts'
import { seldom } from '../dispatch/seldom.ts'
import { createStraySweeper } from '../dispatch/sweep-strays.ts'
import { sweepWorktrees } from '../dispatch/sweep-worktrees.ts'
import { announceQueues } from '../queues/known-queues.ts'
import { rebaseTurns } from '../queues/rebase-turns.ts'
import { EXTRA_QUEUES } from '../queues/task-queues.ts'
import { connectRedis } from '../redis/connect.ts'
import { DIRECT_QUEUE } from '../routing/queue-of.ts'
import type { Foundation } from './foundation.ts'
import { storesOn } from './stores-on.ts'

const EVERY_MS = 10_000
const MISSING_MS = 30_000

/** Retention and the sweepers, in this process or in whichever is elected. One connection more. */
export async function startMaintaining(foundation: Foundation): Promise<{ close(): Promise<void> }> {
  const { options, backends, config, table, log, keys, name, now, revived, patient } = foundation
  const redis = await connectRedis(options.redisUrl, patient('maintenance'))
  const stores = storesOn(foundation, redis)
  const { records, queues, gates, budgets, desk, turns, takeTurn, tombstones, worktrees } = stores
  const maintenance = startMaintenance({
    ...{ redis, keys, records, queues, takeTurn, name, now },
    everyMs: EVERY_MS,
    missingMs: MISSING_MS,
    retention: config.limits,
    queueTimeoutMs: () => config.limits().queueTimeoutMs,
    async rebaseTurns() {
      for (const queue of [...table().tiers.map(({ name }) => name), DIRECT_QUEUE])
        await rebaseTurns(queue, { turns, queues })
    },
    async haveServed(used) {
      const served = new Set<string>([...table().tiers.map(({ name }) => name), ...EXTRA_QUEUES])
      await announceQueues(
        { redis, keys },
        used.filter((queue) => !served.has(queue)),
      )
    },
    leaveGates: (record) => gates.leave(gates.gatesOf(record), record.id, true),
    abortRevived: () => abortRevived(tombstones, records, revived, now()),
    lookAfterBudgets: () => lookAfterBudgets(budgets, records, table()),
    lookAfterLimits: desk.look,
    lookAfterGates: gates.look,
    sweepWorktrees: () => sweepWorktrees(worktrees, records, backends),
    sweepStrays: createStraySweeper({
      ...{ backends, records, now },
      onSwept: ({ sessionID, taskID }, server) =>
        log.warn(
          { task: taskID, session: sessionID, server },
          'an empty session that no task uses was removed',
        ),
    }),
    onSwept: (id) => log.warn({ task: id }, 'a live task had no job for a while and was delivered again'),
    onError: seldom((error) =>
      log.warn({ error: error.message }, 'a part of the maintenance failed, it is tried again'),
    ),
  })
  return { close: () => closeConnections(maintenance.close(), [redis]) }
}
