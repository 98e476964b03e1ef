/** What REST, library, command line and board see. Redis that is away is an error of ours here. */
import { readLedger } from '../ledger/read-ledger.ts'
import { readCooldowns } from '../limits/cooldowns.ts'
import { createAskOperations } from '../operations/asks.ts'
import { createBudgetOperations } from '../operations/budget-operations.ts'
import { readCosts } from '../operations/costs.ts'
import { createHealth } from '../operations/health.ts'
import { listTasks } from '../operations/list-tasks.ts'
import { createRoutingOperations } from '../operations/routing-operations.ts'
import { createAcceptMessage } from '../operations/sessions/accept-message.ts'
import { createSessionOperations } from '../operations/sessions/session-operations.ts'
import { formerQueues } from '../queues/known-queues.ts'
import { createQueueBoard } from '../queues/queue-board.ts'
import { EXTRA_QUEUES } from '../queues/task-queues.ts'
import { viewTask } from '../records/task-record.ts'
import { withRedisErrors } from '../redis/with-redis-errors.ts'
import { peekModel } from '../routing/resolve.ts'
import { NO_FACTS } from '../routing/task-facts.ts'
import { createEndNotices } from '../stream/end-notices.ts'
import { createEventReader, type ReadOptions } from '../stream/event-reader.ts'
import { readLog } from '../stream/read-log.ts'
import type { ListQuery } from '../tasks/list-query.ts'
import type { Accepting } from './accepting.ts'
import type { Foundation } from './foundation.ts'
import type { Stores } from './stores-on.ts'

const REDIS_INFO_SECTIONS = ['server', 'clients', 'memory', 'stats'] as const

export function composePorts(foundation: Foundation, stores: Stores, accepting: Accepting) {
  return {
    tasks: taskPort(foundation, stores, accepting),
    sessions: sessionPort(foundation, stores, accepting),
    routing: routingPort(foundation, stores, accepting),
    money: moneyPort(foundation, stores),
    health: createHealth(foundation),
    board: boardPort(foundation, stores),
  }
}

function taskPort(
  { redis, keys, hub, now, closed }: Foundation,
  { records, asks }: Stores,
  { submitting, comparing, operations, waitFor }: Accepting,
) {
  const readEvents = createEventReader({ redis, keys, hub })
  const { record, get, children, cancel, retry, remove, promote } = operations
  const { submit, accept, submitMany } = submitting
  const { list, answer } = createAskOperations({ asks, record })
  const port = withRedisErrors({
    ...{ submit, accept, submitMany, ...comparing, get, children, cancel, retry, remove, promote },
    asks: list,
    answer,
    list: (query: ListQuery) => listTasks(records, query, now()),
    async whenFinished(id: string, waitMs: number, signal: AbortSignal) {
      return viewTask(await waitFor(id, waitMs, signal), now())
    },
  })
  return {
    ...port,
    // Its errors are ours already, and one wrapper less is three promises less for each event.
    events: (id: string, { after, signal }: ReadOptions) =>
      readEvents(id, { after, signal: AbortSignal.any([signal, closed.signal]) }),
  }
}

function sessionPort(
  { options, backends, table, catalog, hub, keys, name, closed }: Foundation,
  { records, gates }: Stores,
  { admitting, takeIn, acceptOnce, notices, operations, waitFor, maxPromptBytes, ownDirectories }: Accepting,
) {
  const { routeFor, admitToSession } = admitting
  return withRedisErrors(
    createSessionOperations({
      ...{ backends, records, gates, routeFor, notices, ownDirectories },
      peekModel: (asked, directory) =>
        peekModel(asked, table(), catalog.peek(), { ...NO_FACTS, directory: directory ?? null }),
      checkDirectory: options.checkDirectory,
      checkFile: options.checkFile,
      acceptMessage: createAcceptMessage({ takeIn, acceptOnce, gates, admitToSession, maxPromptBytes }),
      ends: createEndNotices({
        ...{ hub, channel: keys.ends(name), closed: closed.signal },
        liveTasks: records.liveQueues,
      }),
      name,
      whenFinished: waitFor,
      cancel: operations.cancel,
    }),
  )
}

function routingPort(
  { config, catalog, redis, keys, now }: Foundation,
  { queues }: Stores,
  { admitting }: Accepting,
) {
  return withRedisErrors(
    createRoutingOperations({
      ...{ config, catalog, queues },
      admit: admitting.admit,
      cooling: () => readCooldowns(redis, keys, now()),
      former: (tiers) => formerQueues({ redis, keys, queues }, tiers),
    }),
  )
}

function moneyPort({ redis, keys, config, table, now }: Foundation, { budgets }: Stores) {
  return withRedisErrors({
    ...createBudgetOperations({ store: budgets, table }),
    costs: (query: unknown) =>
      readCosts(query, {
        read: (days) => readLedger(redis, keys, days),
        ledgerDays: () => config.limits().ledgerDays,
        now,
      }),
  })
}

function boardPort({ redis, keys, table, now }: Foundation, { queues, records }: Stores) {
  const deps = {
    ...{ queues, records, now },
    readLog: (id: string) => readLog(redis, keys, id),
    redisInfo: async () =>
      (await Promise.all(REDIS_INFO_SECTIONS.map((section) => redis.info(section)))).join('\n'),
  }
  return {
    queues: () =>
      [...table().tiers.map((tier) => tier.name), ...EXTRA_QUEUES].map((queue) =>
        withRedisErrors(createQueueBoard(queue, deps)),
      ),
  }
}
