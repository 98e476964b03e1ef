/** One event of OpenCode, or one notice of tierline's, as the clients of OpenCode are told of it. */
import { isTerminal } from '../../tasks/state.ts'
import type { TaskGates } from '../task-gates.ts'
import type { SessionNotice } from './session-notices.ts'
import { userMessagesOf } from './waiting-messages.ts'

export interface ToldEventsDeps {
  gates: TaskGates
  /** A session as it is shown. */
  view(session: unknown): unknown
}

export interface WireEvent {
  id?: string
  type: string
  properties: { sessionID?: string; status?: { type?: string }; info?: unknown; [field: string]: unknown }
}

/** An event of OpenCode; none for the idle between two messages, as the session is busy until its last is over. */
export async function* told({ gates, view }: ToldEventsDeps, event: WireEvent): AsyncGenerator<WireEvent> {
  const { sessionID, status, info } = event.properties ?? {}
  const saysIdle =
    event.type === 'session.idle' || (event.type === 'session.status' && status?.type === 'idle')
  if (saysIdle && sessionID !== undefined && (await gates.sessionTurn(sessionID).waits()) > 0) return
  if (event.type.startsWith('session.') && info !== undefined)
    yield { ...event, properties: { ...event.properties, info: view(info) } }
  else yield event
}

/** The events that OpenCode would have told, had it known of the message. */
export async function* noticed(
  { gates }: ToldEventsDeps,
  { type, record }: SessionNotice,
): AsyncGenerator<WireEvent> {
  const sessionID = record.input.sessionID!
  if (type === 'accepted') yield* accepted(sessionID, record)
  else if ((await gates.sessionTurn(sessionID).tasks()).length === 0) yield* idle(sessionID)
}

function* accepted(sessionID: string, record: SessionNotice['record']): Generator<WireEvent> {
  const messages = isTerminal(record.state) ? [] : userMessagesOf(record)
  // Of what was sent since then OpenCode tells itself.
  if (messages.length === 0) return
  yield event('session.status', { sessionID, status: { type: 'busy' } })
  for (const { info, parts } of messages) {
    yield event('message.updated', { sessionID, info })
    for (const part of parts) yield event('message.part.updated', { sessionID, part, time: Date.now() })
  }
}

function* idle(sessionID: string): Generator<WireEvent> {
  yield event('session.status', { sessionID, status: { type: 'idle' } })
  yield event('session.idle', { sessionID })
}

let count = 0

function event(type: string, properties: WireEvent['properties']): WireEvent {
  count += 1
  return { id: `evt_tierline${Date.now()}${count}`, type, properties }
}
