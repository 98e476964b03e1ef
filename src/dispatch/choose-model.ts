import type { Cooldowns } from '../limits/cooldowns.ts'
import type { TaskRecord } from '../records/task-record.ts'
import { messagesOf } from '../tasks/input.ts'
import type { ModelID } from '../tasks/model-id.ts'

export type Choice =
  | { status: 'chosen'; model: ModelID; isProbe: boolean }
  /** None may be used now; `model` is the one to wait for. */
  | { status: 'cooling'; model: ModelID; until: number }

/** The first of these models that is not kept back. No round trip while none of them is in trouble. */
export async function chooseModel(
  taskID: string,
  models: readonly ModelID[],
  cooldowns: Cooldowns,
): Promise<Choice> {
  let soonest: { model: ModelID; until: number } | undefined
  for (const model of models) {
    const answer = await cooldowns.ask(model, taskID)
    if (answer.status === 'open') return { status: 'chosen', model, isProbe: answer.isProbe }
    if (soonest === undefined || answer.until < soonest.until) soonest = { model, until: answer.until }
  }
  return { status: 'cooling', ...soonest! }
}

/**
 * The models that the message a task has to send next may go to, most wanted first; `undefined`: it was sent,
 * and only its answer is waited for.
 */
export function candidatesOf(record: TaskRecord, models: readonly ModelID[]): readonly ModelID[] | undefined {
  const { checkpoint, input, done } = record
  if (checkpoint !== null && !checkpoint.retry?.isDue) return undefined
  const own = messagesOf(input)[done.length]?.model
  if (own !== undefined) return [own]
  return checkpoint === null && record.sessionID === null ? models : modelsLeft(record, models)
}

/** The model in use and those after it, without any that the message was given up on. */
export function modelsLeft(
  { checkpoint, model }: TaskRecord,
  models: readonly ModelID[],
): readonly ModelID[] {
  const current = checkpoint?.model ?? model
  const rest = models.slice(models.indexOf(current) + 1)
  return [current, ...rest.filter((next) => next !== current && !checkpoint?.retry?.givenUp.includes(next))]
}
