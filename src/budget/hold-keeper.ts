import type { ModelID } from '../tasks/model-id.ts'
import type { BudgetStore } from './budget-store.ts'
import { LEASE_MS } from './budget-store.ts'

/** The tasks of this process that hold money: their leases are prolonged until they are let go. */
export interface HoldKeeper {
  /** The task holds for steps of this model. */
  holds(taskID: string, model: ModelID): void
  /** `undefined`: it holds nothing that this process knows of. */
  modelOf(taskID: string): ModelID | undefined
  /** Whoever has it next prolongs its lease, or nobody does. */
  letGo(taskID: string): void
  /** Its end is written: nothing of it has to be remembered. */
  forget(taskID: string): void
  close(): void
}

const MOST_FORGOTTEN = 500

/** One timer, which runs while there is anything to do; one round trip each time. */
export function createHoldKeeper(
  store: Pick<BudgetStore, 'renew'>,
  everyMs: number = LEASE_MS / 4,
): HoldKeeper {
  const running = new Map<string, ModelID>()
  let over: string[] = []
  let timer: NodeJS.Timeout | undefined

  function renew(): void {
    timer = undefined
    const forgotten = over.splice(0)
    // What fails now is done next time, and what is never done ends with its lease.
    store.renew([...running.keys()], forgotten).catch(() => over.push(...forgotten.slice(0, MOST_FORGOTTEN)))
    if (running.size > 0) timer = setTimeout(renew, everyMs)
  }

  return {
    holds(taskID, model) {
      running.set(taskID, model)
      timer ??= setTimeout(renew, everyMs)
    },
    modelOf: (taskID) => running.get(taskID),
    letGo: (taskID) => void running.delete(taskID),
    forget(taskID) {
      running.delete(taskID)
      over.push(taskID)
      if (over.length >= MOST_FORGOTTEN) {
        clearTimeout(timer)
        renew()
      }
    },
    close() {
      clearTimeout(timer)
      if (over.length > 0) store.renew([], over).catch(() => {})
      over = []
    },
  }
}
