/** What accepts tasks, and what is done with accepted ones. */
import { createAdmit } from '../operations/admit.ts'
import { findSession } from '../operations/find-session.ts'
import { createOwnDirectories } from '../operations/own-directories.ts'
import { createSessionNotices } from '../operations/sessions/session-notices.ts'
import { createSubmit } from '../operations/submit.ts'
import { createSubmitCompare } from '../operations/submit-compare.ts'
import { createAcceptOnce, createSubmitOnce } from '../operations/submit-once.ts'
import { createTakeIn } from '../operations/take-in.ts'
import { createTaskOperations } from '../operations/task-operations.ts'
import { whenFinished } from '../operations/when-finished.ts'
import { createWithinBudget } from '../operations/within-budget.ts'
import { createTaskCreator } from '../queues/create-tasks.ts'
import { createOnceStore } from '../records/once-store.ts'
import type { TaskRecord } from '../records/task-record.ts'
import { priceOf } from '../routing/cost.ts'
import type { PriceOf } from '../runner/book.ts'
import { endLeftTurn } from '../runner/end-left-turn.ts'
import type { Foundation } from './foundation.ts'
import type { Stores } from './stores-on.ts'

const NO_VERIFIERS = {
  names: () => [],
  run: async () => ({ passed: false, detail: 'there are no verifiers' }),
}

export type Accepting = ReturnType<typeof composeAccepting>

export function composeAccepting(foundation: Foundation, stores: Stores) {
  const { options, backends, config, table, limits, keys, hub, catalog, now, closed } = foundation
  const { records, queues, gates, budgets, takeTurn, parts } = stores
  const { maxWaitingTasks } = limits
  const maxPromptBytes = () => config.limits().maxPromptBytes
  const verifiers = options.verifiers ?? NO_VERIFIERS
  const ownDirectories = createOwnDirectories({ backends, check: options.checkOwnDirectory })
  const admitting = createAdmit({
    table,
    catalog,
    maxPromptBytes,
    checkDirectory: options.checkDirectory,
    checkOwnDirectories: ownDirectories.checkAll,
    findSession: (sessionID) => findSession(backends, sessionID),
    checkFile: options.checkFile,
    checkRepository: options.checkRepository,
    readRecord: records.read,
    withinBudget: createWithinBudget({ store: budgets, table, catalog: catalog.peek }),
    permissions: () => config.limits().permissions,
  })
  const create = createTaskCreator({ ...parts, queues, maxWaitingTasks })
  const takeIn = createTakeIn({ create, records, queues, gates, takeTurn, maxWaitingTasks, now })
  const acceptOnce = createAcceptOnce({
    takeIn,
    once: createOnceStore(parts),
    ageMs: () => config.limits().idempotencyAgeMs,
  })
  const submitting = createSubmit({
    takeIn,
    admit: admitting.admit,
    submitOnce: createSubmitOnce({ acceptOnce, ...admitting }),
  })
  const comparing = createSubmitCompare({
    admitParsed: admitting.admitParsed,
    submitAdmitted: submitting.submitAdmitted,
    acceptOnce,
    maxPromptBytes,
    verifiers: verifiers.names,
  })
  const price: PriceOf = (request) => priceOf(request, catalog.peek(), table().prices)
  const endLeft = (record: TaskRecord) => endLeftTurn(record, { backends, records, price, now })
  const notices = createSessionNotices({ ...parts, hub, read: records.read })
  const operations = createTaskOperations({
    records,
    queues,
    takeTurn,
    readmit: admitting.readmit,
    endLeftTurn: endLeft,
    async leaveGates(record) {
      await gates.leave(gates.gatesOf(record), record.id, true)
      if (record.input.sessionID !== undefined) notices.withdraw(record.id)
    },
    now,
  })
  /** How the end of a task is heard of. */
  const waiting = { hub, keys, record: operations.record }
  return {
    ...{
      admitting,
      takeIn,
      acceptOnce,
      submitting,
      comparing,
      notices,
      operations,
      price,
      endLeft,
      verifiers,
      waiting,
      ownDirectories,
    },
    maxPromptBytes,
    waitFor: (id: string, waitMs: number, signal: AbortSignal) =>
      whenFinished(waiting, id, waitMs, AbortSignal.any([signal, closed.signal])),
  }
}
