/** Who asks the gates of a task, and lets it go from them. */
import type { TaskRecord } from '../records/task-record.ts'
import type { WaitingFor } from '../tasks/task.ts'
import type { Gate, Moved, Refused } from './gate.ts'

export interface GatekeeperDeps {
  /** In the order they are asked: the same for all, so that no two tasks hold what the other waits for. */
  gatesOf(record: TaskRecord): readonly Gate[]
}

/** It has to wait. */
export interface Refusal {
  status: 'shut'
  waitingFor: WaitingFor
  wakeInMs: number
  /** True when the gate opened since: asked once the delivery is put off. */
  isOpenNow(): Promise<boolean>
}

export type Gatekeeper = ReturnType<typeof createGatekeeper>

export function createGatekeeper({ gatesOf }: GatekeeperDeps) {
  /** `undefined`: it may run. One that is refused somewhere holds nothing meanwhile that others could use. */
  async function pass(
    gates: readonly Gate[],
    task: TaskRecord,
  ): Promise<Refusal | Refused | Moved | undefined> {
    for (const [index, gate] of gates.entries()) {
      const entry = await gate.enter(task)
      if (entry.status === 'open') continue
      await letGo(
        gates.slice(0, index).filter(({ heldFor }) => heldFor === 'run'),
        task.id,
      )
      if (entry.status !== 'shut') return entry
      const { reason = gate.reason, detail, until, wakeInMs } = entry
      return {
        status: 'shut',
        waitingFor: { reason, detail, until },
        wakeInMs,
        isOpenNow: () => gate.isOpenTo(task.id),
      }
    }
    return undefined
  }

  /** After a run; `over`: the task is done with for good. */
  function leave(gates: readonly Gate[], taskID: string, over: boolean): Promise<void> {
    return letGo(over ? gates : gates.filter(({ heldFor }) => heldFor === 'run'), taskID)
  }

  async function letGo(gates: readonly Gate[], taskID: string): Promise<void> {
    for (const gate of gates) await gate.leave(taskID)
  }

  return { gatesOf, pass, leave }
}
