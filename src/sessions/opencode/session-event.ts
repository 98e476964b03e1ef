/** One server-sent event of OpenCode, reduced to what tierline uses. Pure. */
import { z } from 'zod'
import { Ask, MessageInfo, SessionStatus, WireError, WirePart } from './wire.ts'

export type SessionEvent =
  | { type: 'message'; sessionID: string; info: MessageInfo }
  | { type: 'part'; sessionID: string; part: WirePart }
  | { type: 'delta'; sessionID: string; partID: string; text: string }
  | { type: 'status'; sessionID: string; status: SessionStatus }
  | { type: 'error'; sessionID: string; error: WireError }
  | { type: 'asked'; sessionID: string; kind: 'permission' | 'question'; ask: Ask }
  | { type: 'replied'; sessionID: string; askID: string; reply?: Reply | undefined }

type Reply = z.infer<typeof Reply>
const Reply = z.enum(['once', 'always', 'reject'])

const Text = z.string()

const Envelope = z.object({ type: Text, properties: z.record(Text, z.unknown()).default({}) })

const READERS = new Map<string, (properties: unknown) => SessionEvent>(
  Object.entries({
    'message.updated': reader(z.object({ info: MessageInfo }), ({ info }) => ({
      type: 'message',
      sessionID: info.sessionID,
      info,
    })),
    'message.part.updated': reader(z.object({ part: WirePart }), ({ part }) => ({
      type: 'part',
      sessionID: part.sessionID,
      part,
    })),
    // `field` is `text` for reasoning too; what kind it is, the part says.
    'message.part.delta': reader(
      z.object({ sessionID: Text, partID: Text, field: z.literal('text'), delta: Text }),
      ({ sessionID, partID, delta }) => ({ type: 'delta', sessionID, partID, text: delta }),
    ),
    'session.status': reader(
      z.object({ sessionID: Text, status: SessionStatus }),
      ({ sessionID, status }) => ({
        type: 'status',
        sessionID,
        status,
      }),
    ),
    'session.error': reader(z.object({ sessionID: Text, error: WireError }), ({ sessionID, error }) => ({
      type: 'error',
      sessionID,
      error,
    })),
    'permission.asked': reader(Ask, (ask) => ({
      type: 'asked',
      sessionID: ask.sessionID,
      kind: 'permission',
      ask,
    })),
    'permission.replied': reader(
      z.object({ sessionID: Text, requestID: Text, reply: Reply }),
      ({ sessionID, requestID, reply }) => ({ type: 'replied', sessionID, askID: requestID, reply }),
    ),
    'question.replied': reader(
      z.object({ sessionID: Text, requestID: Text }),
      ({ sessionID, requestID }) => ({ type: 'replied', sessionID, askID: requestID }),
    ),
    'question.rejected': reader(
      z.object({ sessionID: Text, requestID: Text }),
      ({ sessionID, requestID }) => ({ type: 'replied', sessionID, askID: requestID, reply: 'reject' }),
    ),
    'question.asked': reader(Ask, (ask) => ({
      type: 'asked',
      sessionID: ask.sessionID,
      kind: 'question',
      ask,
    })),
  }),
)

/**
 * `connected` is the first of a connection. `undefined`: of no use here. An event that has another shape
 * than the one measured is of no use either: the next look at the messages tells what it said.
 */
export function readSessionEvent(data: string): SessionEvent | 'connected' | undefined {
  const envelope = Envelope.safeParse(parse(data))
  if (!envelope.success) return undefined
  const { type, properties } = envelope.data
  if (type === 'server.connected') return 'connected'
  try {
    return READERS.get(type)?.(properties)
  } catch {
    return undefined
  }
}

function reader<T>(schema: z.ZodType<T>, read: (value: T) => SessionEvent) {
  return (properties: unknown): SessionEvent => read(schema.parse(properties))
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
}
