/** The events of one task, in its log and on the wire. `seq` counts 1, 2, 3… without a gap. */
import { z } from 'zod'
import { AskSubject } from './ask.ts'
import { Route } from './route.ts'
import { TaskFailure, WaitingFor } from './task.ts'
import { Usage } from './usage.ts'

const PartID = z.string()
const MessageID = z.string()
const CallID = z.string()
const Model = z.string()
const Attempt = z.int().min(1)
/** UTF-16 units from the start of the part. */
const Offset = z.int().min(0)

const delta = { messageID: MessageID, partID: PartID, offset: Offset, text: z.string() }

/** Type of an event → its own fields. Every event also has `seq`, `at` (epoch ms) and `attempt`. */
export const EVENT_FIELDS = {
  'task-queued': { queue: z.string() },
  'task-routed': { route: Route },
  'attempt-started': {},
  'session-opened': { sessionID: z.string(), server: z.string(), model: Model },
  'message-sent': { messageID: MessageID, model: Model, index: z.int().min(0) },
  'text-delta': delta,
  'reasoning-delta': delta,
  'text-ended': { messageID: MessageID, partID: PartID, length: Offset },
  'text-discarded': { messageID: MessageID, partID: PartID, reason: z.enum(['retry', 'resume', 'rewrite']) },
  'stream-lagging': { messageID: MessageID, partID: PartID },
  'turn-resumed': { messageID: MessageID, model: Model, reason: z.string() },
  'provider-retry': { try: z.int(), nextAt: z.int(), message: z.string() },
  'tool-called': { callID: CallID, tool: z.string(), input: z.unknown() },
  'tool-finished': { callID: CallID, status: z.string(), title: z.string() },
  'message-finished': {
    messageID: MessageID,
    model: Model,
    finish: z.string(),
    usage: Usage,
    costMicroUsd: z.int().min(0),
  },
  'model-changed': { from: Model, to: Model, reason: z.string() },
  'ask-opened': { askID: z.string(), ...AskSubject.shape, deadlineAt: z.int() },
  'ask-closed': {
    askID: z.string(),
    state: z.enum(['answered', 'denied']),
    /** Of a permission, or of a question that was turned down. */
    reply: z.enum(['once', 'always', 'reject']).optional(),
    answers: z.array(z.array(z.string())).optional(),
    message: z.string().optional(),
  },
  'task-parked': { waitingFor: WaitingFor },
  'task-resumed': {},
  'task-retried': {},
  'task-finished': { state: z.enum(['succeeded', 'failed', 'cancelled']), error: TaskFailure.optional() },
} as const

export type EventType = keyof typeof EVENT_FIELDS

// zod infers an empty object as Record<string, never>, which nothing can be added to.
type Fields<T extends EventType> = keyof (typeof EVENT_FIELDS)[T] extends never
  ? unknown
  : z.infer<z.ZodObject<(typeof EVENT_FIELDS)[T]>>

/** An event as it is written: the log adds `seq`. */
export type NewEvent = { [T in EventType]: { type: T; at: number; attempt: number } & Fields<T> }[EventType]

/** An event as it is read. */
export type TaskEvent = {
  [T in EventType]: { seq: number; type: T; at: number; attempt: number } & Fields<T>
}[EventType]

/** What a reader gets beside the log: a hole where it was trimmed, and the end of the task. */
export type StreamItem =
  | TaskEvent
  /** The first and the last sequence number that are gone: `{ type: 'reset', missing: [1, 480] }`. */
  | { type: 'reset'; missing: readonly [number, number] }
  | { type: 'end'; state: 'succeeded' | 'failed' | 'cancelled' }

const EVENT_TYPES = Object.keys(EVENT_FIELDS) as EventType[]

/** The events of a log as one zod schema, for OpenAPI and for clients that check what they read. */
export const TaskEventSchema = z.union(
  EVENT_TYPES.map((type) =>
    z
      .object({ seq: z.int().min(1), at: z.int(), type: z.literal(type), attempt: Attempt.or(z.literal(0)) })
      .extend(EVENT_FIELDS[type]),
  ),
)
