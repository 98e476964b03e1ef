/** What a run asks of whoever watches its money. */
import type { LetGo } from '../records/record-store.ts'
import type { TurnCut } from '../records/task-record.ts'
import type { Spending } from '../sessions/backend.ts'
import type { ModelID } from '../tasks/model-id.ts'
import type { TaskFailure } from '../tasks/task.ts'
import type { TurnWait } from './task-run.ts'

export interface TaskBudget {
  /**
   * Before a message goes to a model. `undefined`: it may. `isSent`: it was, and only its answer is waited for.
   * No round trip for the first message, which the gate has held for; one for each further.
   */
  mayStart(model: ModelID, isSent: boolean): Promise<BudgetRefusal | undefined>
  /**
   * While a turn goes on, with what has become known of its money since and is in the record. `undefined`: it may. One
   * round trip where a budget is about it.
   */
  mayGoOn(spendings: readonly Spending[]): Promise<TurnCut | undefined>
  /**
   * Counts all that the record says was spent and lets go of the rest. Resolves, in this turn of the event loop, when that
   * is on its way, and will be done before what is written next. One round trip. Never rejects: what could not be told is
   * told by who has the task next, or by the maintenance.
   */
  settle(): Promise<void>
  /** The same for the last write of the task, which does it in its own step. `undefined`: there is nothing to tell. */
  remainder(): LetGo['money']
  /** The run is over. */
  close(): void
}

export type BudgetRefusal =
  | { status: 'never'; error: TaskFailure }
  /** What is missing may come back: others hold it, or the window turns. */
  | { status: 'later'; wait: TurnWait }
