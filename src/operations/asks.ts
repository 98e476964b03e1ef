/** What running tasks ask of people: looked at and answered from any process. */
import { TierlineError } from '../errors.ts'
import type { AskStore } from '../records/ask-store.ts'
import { type AskDecision, type KeptAsk, viewAsks } from '../records/kept-asks.ts'
import { taskNotFound } from '../records/task-not-found.ts'
import type { TaskRecord } from '../records/task-record.ts'
import { type Ask, AskAnswer } from '../tasks/ask.ts'
import { parseWith } from '../tasks/parse-input.ts'

export interface AskOperationsDeps {
  asks: AskStore
  record(id: string): Promise<TaskRecord>
}

/** @throws {TierlineError} `task_not_found` from each of the functions. */
export function createAskOperations({ asks, record }: AskOperationsDeps) {
  /** Those that are open and those that are closed, oldest first. */
  async function list(id: string): Promise<Ask[]> {
    return viewAsks(await record(id))
  }

  /** @throws {TierlineError} `ask_not_found`, `ask_closed`, `invalid_input` for an answer of the other kind. */
  async function answer(id: string, askID: string, raw: unknown): Promise<Ask> {
    const given = parseWith(AskAnswer, raw, 'Cannot answer the ask')
    const ask = (await record(id)).asks.find((one) => one.id === askID)
    if (ask === undefined) throw notFound(id, askID)
    const decision = decisionOf(ask, given)
    const status = await asks.answer(id, askID, decision)
    if (status === 'gone') throw taskNotFound(id)
    if (status === 'unknown') throw notFound(id, askID)
    if (status === 'closed')
      throw new TierlineError('ask_closed', `Cannot answer the ask "${askID}": it is closed already`)
    return (await list(id)).find((one) => one.id === askID)!
  }

  return { list, answer }
}

function decisionOf({ kind, questions }: KeptAsk, given: AskAnswer): AskDecision {
  if ('reply' in given) {
    if (kind === 'question' && given.reply !== 'reject')
      throw wrong('reply', 'must be "reject"; questions are answered with "answers"', given.reply)
    const { reply, message } = given
    return { state: 'answered', reply, ...(message !== undefined && { message }) }
  }
  const { answers } = given
  if (kind === 'permission')
    throw wrong('answers', 'are for questions; a permission takes "reply": "once", "always" or "reject"')
  if (answers.length !== questions.length)
    throw wrong('answers', `must have one list for each of the ${questions.length} questions`, answers.length)
  return { state: 'answered', answers }
}

function wrong(field: string, message: string, given?: unknown): TierlineError {
  return new TierlineError('invalid_input', `Cannot answer the ask: "${field}" ${message}`, {
    errors: [{ field, message, ...(given !== undefined && { given }) }],
  })
}

function notFound(id: string, askID: string): TierlineError {
  return new TierlineError('ask_not_found', `Cannot find the ask "${askID}": task "${id}" has none such`)
}
