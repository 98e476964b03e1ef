import type { Gate } from '../gates/gate.ts'
import type { Cooldowns } from '../limits/cooldowns.ts'
import type { TaskRecord } from '../records/task-record.ts'
import type { TaskLimits } from '../runner/task-run.ts'
import type { ModelID } from '../tasks/model-id.ts'
import { candidatesOf, chooseModel } from './choose-model.ts'

export interface CooldownGateDeps {
  cooldowns: Cooldowns
  modelsOf(record: TaskRecord): readonly ModelID[]
  limitsOf(record: TaskRecord): TaskLimits
  now(): number
}

/** Who waits behind another is woken later, should no word come that the model is well. */
const BETWEEN_WAKES_MS = 1_000
const LONGEST_EXTRA_MS = 60_000

/** Shut while all models that a task may use cool down. `undefined`: the task has nothing to wait for here. */
export function cooldownGate(record: TaskRecord, deps: CooldownGateDeps): Gate | undefined {
  const { cooldowns, modelsOf, limitsOf, now } = deps
  if (!cooldowns.isAny) return undefined
  const models = candidatesOf(record, modelsOf(record))
  if (models === undefined) return undefined
  let awaited: ModelID | undefined
  return {
    reason: 'cooldown',
    heldFor: 'run',
    async enter({ id, createdAt, checkpoint }) {
      const choice = await chooseModel(id, models, cooldowns)
      if (choice.status === 'chosen') return { status: 'open' }
      const { model } = choice
      const answer = await cooldowns.ask(model, id, createdAt)
      if (answer.status === 'open') return { status: 'open' }
      const { until, place } = answer
      const since = checkpoint?.retry?.since
      const patienceMs =
        since === undefined ? Number.POSITIVE_INFINITY : since + limitsOf(record).retryWaitMs - now()
      // Its time is over: it tries, and fails with what the provider says.
      if (patienceMs <= 0) return { status: 'open' }
      awaited = model
      const extraMs = Math.min(place * BETWEEN_WAKES_MS, LONGEST_EXTRA_MS)
      const wakeInMs = Math.min(Math.max(0, until - now()) + extraMs, patienceMs)
      return { status: 'shut', detail: `${model} cools down`, until, wakeInMs }
    },
    // Who waited is woken by the probe that went well, not by one who leaves.
    async leave() {},
    isOpenTo: async (id) => awaited !== undefined && (await cooldowns.ask(awaited, id)).status === 'open',
  }
}
