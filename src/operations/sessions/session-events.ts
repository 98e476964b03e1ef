/** OpenCode's events of a directory, with what it does not know: messages that were accepted and wait. */
import type { SessionBackend } from '../../sessions/backend.ts'
import { isTerminal } from '../../tasks/state.ts'
import type { TaskGates } from '../task-gates.ts'
import type { SessionNotice, SessionNotices } from './session-notices.ts'
import { userMessagesOf } from './waiting-messages.ts'

export interface SessionEventsDeps {
  gates: TaskGates
  notices: SessionNotices
  /** A session as it is shown. */
  view(session: unknown): unknown
}

interface WireEvent {
  id?: string
  type: string
  properties: { sessionID?: string; status?: { type?: string }; info?: unknown; [field: string]: unknown }
}

/**
 * From acceptance to the end of its last message a session is busy: OpenCode says idle between two of them, which
 * is left out. Ends when OpenCode does; its clients come back by themselves.
 */
export async function* sessionEvents(
  { gates, notices, view }: SessionEventsDeps,
  backend: SessionBackend,
  directory: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<object> {
  const over = new AbortController()
  const end = AbortSignal.any([signal, over.signal])
  const items: (WireEvent | SessionNotice)[] = []
  let wake = () => {}
  let isOver = false
  let failure: unknown
  const push = (item: WireEvent | SessionNotice) => {
    items.push(item)
    wake()
  }
  const finish = (error?: unknown) => {
    failure = error
    isOver = true
    wake()
  }
  const stop = await notices.listen((notice) => {
    // `null` is a server's own directory, by a name that nobody gave it.
    const { record } = notice
    if (directory === undefined || record.directory === null || record.directory === directory) push(notice)
  })
  follow().then(() => finish(), finish)
  try {
    while (!signal.aborted) {
      const item = items.shift()
      if (item !== undefined) yield* told(item)
      else if (isOver) break
      else
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
    if (failure !== undefined && !signal.aborted) throw failure
  } finally {
    stop()
    over.abort()
  }

  async function follow(): Promise<void> {
    end.addEventListener('abort', () => wake())
    for await (const event of backend.events(directory, end)) push(event as WireEvent)
  }

  async function* told(item: WireEvent | SessionNotice): AsyncGenerator<object> {
    if ('record' in item) {
      const sessionID = item.record.input.sessionID!
      if (item.type === 'accepted') yield* accepted(sessionID, item.record)
      else if ((await gates.sessionTurn(sessionID).tasks()).length === 0) yield* idle(sessionID)
      return
    }
    const event = item
    const { sessionID, status, info } = event.properties ?? {}
    const saysIdle =
      event.type === 'session.idle' || (event.type === 'session.status' && status?.type === 'idle')
    if (saysIdle && sessionID !== undefined && (await gates.sessionTurn(sessionID).waits()) > 0) return
    if (event.type.startsWith('session.') && info !== undefined)
      yield { ...event, properties: { ...event.properties, info: view(info) } }
    else yield event
  }
}

function* accepted(sessionID: string, record: SessionNotice['record']): Generator<object> {
  const messages = isTerminal(record.state) ? [] : userMessagesOf(record)
  // Of what was sent since then OpenCode tells itself.
  if (messages.length === 0) return
  yield event('session.status', { sessionID, status: { type: 'busy' } })
  for (const { info, parts } of messages) {
    yield event('message.updated', { sessionID, info })
    for (const part of parts) yield event('message.part.updated', { sessionID, part, time: Date.now() })
  }
}

function* idle(sessionID: string): Generator<object> {
  yield event('session.status', { sessionID, status: { type: 'idle' } })
  yield event('session.idle', { sessionID })
}

let count = 0

function event(type: string, properties: object): object {
  count += 1
  return { id: `evt_tierline${Date.now()}${count}`, type, properties }
}
