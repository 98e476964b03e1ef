/** A message of an OpenCode client becomes a task of its session. */
import { isTierlineError, TierlineError } from '../../errors.ts'
import { NESTED_QUEUE } from '../../routing/queue-of.ts'
import { type ParsedTaskInput, promptBytes } from '../../tasks/input.ts'
import { sessionDefaultOf } from '../../tasks/session-default.ts'
import { parseMessageInput } from '../../tasks/session-input.ts'
import type { Task } from '../../tasks/task.ts'
import { createTaskID } from '../../tasks/task-id.ts'
import type { FoundSession } from '../find-session.ts'
import type { Admitted } from '../new-record.ts'
import type { AcceptOnce } from '../submit-once.ts'
import type { TakeIn } from '../take-in.ts'
import type { TaskGates } from '../task-gates.ts'

export interface AcceptMessageDeps {
  takeIn: TakeIn
  /** For one that has an id of the client's. */
  acceptOnce: AcceptOnce
  gates: TaskGates
  admitToSession(input: ParsedTaskInput, session: FoundSession, caller: string | null): Promise<Admitted>
  maxPromptBytes(): number
}

export interface AcceptOptions {
  /** Of the task, unless the message is a repeat. */
  id?: string
  caller: string | null
  /** See `TaskRecord`. */
  waiter?: string | null
}

/**
 * Resolves when the message is in Redis, in its place among those of its session.
 *
 * @throws {TierlineError} that names what is wrong with it; `session_busy` where it was not to wait.
 */
export function createAcceptMessage(deps: AcceptMessageDeps) {
  const { takeIn, acceptOnce, gates, admitToSession, maxPromptBytes } = deps

  return async (session: FoundSession, body: unknown, options: AcceptOptions): Promise<Task> => {
    const { sessionID, metadata } = session
    const { id = createTaskID(), caller, waiter = null } = options
    const { busy, messageID, input } = readMessage(session, body)
    checkLength(input, maxPromptBytes())
    const onlyIfFree = (busy ?? busyOf(metadata)) === 'reject'
    const admit = async (): Promise<Admitted> => {
      const asked = await admitToSession(input, session, caller).catch(inTermsOfMessage)
      const admitted = { ...asked, waiter, onlyIfFree }
      return (await isOfRunning(session)) ? { ...admitted, queue: NESTED_QUEUE } : admitted
    }
    if (messageID === undefined) return (await takeIn(id, await admit())).task
    const key = { caller, idempotencyKey: `${sessionID}/${messageID}` }
    const accepting = acceptOnce({ key, id, input, whole: input, admit })
    return (await accepting.catch((error) => reusedID(error, messageID))).task
  }

  /** A child of a session that runs something: whoever runs there may wait for it. */
  async function isOfRunning({ parentID }: FoundSession): Promise<boolean> {
    return parentID !== undefined && (await gates.sessionTurn(parentID).tasks()).length > 0
  }
}

function readMessage({ sessionID, metadata }: FoundSession, body: unknown) {
  const { route, busy, messageID, message } = parseMessageInput(body)
  const isDefault = Object.keys(route).length === 0
  const variant = message.variant ?? (isDefault ? sessionDefaultOf(metadata).variant : undefined)
  const input: ParsedTaskInput = {
    sessionID,
    ...(route.type !== undefined && { type: route.type }),
    ...(route.tier !== undefined && { tier: route.tier }),
    ...(route.model !== undefined && { model: route.model }),
    messages: [{ ...message, isAttended: true, ...(variant !== undefined && { variant }) }],
  }
  return { busy, messageID, input }
}

/** What is wrong with the only message of the task has the name that the client gave it. */
function inTermsOfMessage(error: unknown): never {
  const prefix = 'messages.0.'
  if (!isTierlineError(error) || !error.errors.some(({ field }) => field.startsWith(prefix))) throw error
  const errors = error.errors.map((one) =>
    one.field.startsWith(prefix) ? { ...one, field: one.field.slice(prefix.length) } : one,
  )
  throw new TierlineError(error.code, error.message, { errors, cause: error })
}

/** The client named no idempotency key, but the id of its message. */
function reusedID(error: unknown, messageID: string): never {
  if (!isTierlineError(error, 'idempotency_key_reused')) throw error
  throw new TierlineError(
    error.code,
    `Cannot send the message: another one with the id "${messageID}" was sent to the session before`,
    {
      errors: [{ field: 'messageID', message: 'was used for another message', given: messageID }],
      cause: error,
    },
  )
}

function busyOf({ tierline }: FoundSession['metadata']): unknown {
  return typeof tierline === 'object' && tierline !== null && 'busy' in tierline ? tierline.busy : undefined
}

function checkLength(input: ParsedTaskInput, most: number): void {
  const bytes = promptBytes(input)
  if (bytes <= most) return
  throw new TierlineError(
    'too_large',
    `Cannot send the message: it has ${bytes} bytes, at most ${most} are allowed`,
    { errors: [{ field: 'parts', message: `must have at most ${most} bytes`, given: bytes }] },
  )
}
