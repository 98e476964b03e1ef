/** Events of OpenCode and notices of tierline, as one client of OpenCode that follows is told of them. */
import { isTerminal } from '../../tasks/state.ts'
import type { TaskGates } from '../task-gates.ts'
import type { SessionNotice } from './session-notices.ts'
import { createMessageIDs, type ShownMessages } from './shown-messages.ts'
import { userMessagesOf } from './waiting-messages.ts'

export interface EventTellerDeps {
  gates: TaskGates
  shown: ShownMessages
  /** A session as it is shown. */
  view(session: unknown): unknown
}

export interface WireEvent {
  id?: string
  type: string
  properties: {
    sessionID?: string
    status?: { type?: string }
    info?: { id?: string; role?: string }
    [field: string]: unknown
  }
}

/** See the functions it returns; `stop` when the client has gone. */
export function createEventTeller({ gates, shown, view }: EventTellerDeps) {
  const standIns = shown.follow()
  const real = createMessageIDs()

  /** An event of OpenCode. None for the idle between two messages: the session is busy until its last is over. */
  async function* told(event: WireEvent): AsyncGenerator<WireEvent> {
    const { sessionID, status, info } = event.properties ?? {}
    const saysIdle =
      event.type === 'session.idle' || (event.type === 'session.status' && status?.type === 'idle')
    if (saysIdle && sessionID !== undefined && (await gates.sessionTurn(sessionID).waits()) > 0) return
    if (event.type === 'message.updated' && info?.role === 'user' && info.id !== undefined) {
      if (standIns.delete(info.id)) yield removed(sessionID, info.id)
      real.add(info.id)
    }
    if (event.type.startsWith('session.') && info !== undefined)
      yield { ...event, properties: { ...event.properties, info: view(info) as object } }
    else yield event
  }

  /** The events that OpenCode would have told, had it known of the message. */
  async function* noticed({ type, record }: SessionNotice): AsyncGenerator<WireEvent> {
    const sessionID = record.input.sessionID!
    if (type === 'accepted') yield* accepted(sessionID, record)
    else {
      for (const { info } of userMessagesOf(record)) {
        standIns.delete(info.id)
        yield removed(sessionID, info.id)
      }
      if ((await gates.sessionTurn(sessionID).tasks()).length === 0) yield* idle(sessionID)
    }
  }

  function* accepted(sessionID: string, record: SessionNotice['record']): Generator<WireEvent> {
    const messages = isTerminal(record.state) ? [] : userMessagesOf(record)
    // Of what was sent since then OpenCode tells itself, and may have done so.
    const waiting = messages.filter(({ info }) => !real.has(info.id))
    if (waiting.length === 0) return
    yield event('session.status', { sessionID, status: { type: 'busy' } })
    for (const { info, parts } of waiting) {
      standIns.add(info.id)
      yield event('message.updated', { sessionID, info })
      for (const part of parts) yield event('message.part.updated', { sessionID, part, time: Date.now() })
    }
  }

  return { told, noticed, stop: standIns.stop }
}

function* idle(sessionID: string): Generator<WireEvent> {
  yield event('session.status', { sessionID, status: { type: 'idle' } })
  yield event('session.idle', { sessionID })
}

function removed(sessionID: string | undefined, messageID: string): WireEvent {
  return event('message.removed', { ...(sessionID !== undefined && { sessionID }), messageID })
}

let count = 0

function event(type: string, properties: WireEvent['properties']): WireEvent {
  count += 1
  return { id: `evt_tierline${Date.now()}${count}`, type, properties }
}
