/**
 * What a producer may ask for: one schema for library, REST, CLI and OpenAPI.
 *
 * A field that is not built yet is not here, so it is refused as unknown.
 */
import { z } from 'zod'
import { ModelIDInput } from './model-id.ts'
import { Permissions } from './permissions.ts'
import { TaskID } from './task-id.ts'

/** A task type, tier or verifier: `lint`, `code-review`. Also part of a Redis key and of a URL. */
export const Name = z
  .string()
  .regex(
    /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/,
    'must be 1 to 64 letters, digits, ".", "_" or "-", not starting with a sign',
  )

/** Blanks alone would be sent, and paid. */
export const Text = z.string().regex(/\S/, 'must not be empty')

/** Name of an agent of OpenCode: `build`. */
export const Agent = z.string().min(1).max(128)

const TextPart = z.strictObject({ type: z.literal('text'), text: Text })

/** `url` is `file:///abs/path` inside the allowed directories, or `data:`. */
const FilePart = z.strictObject({
  type: z.literal('file'),
  mime: z.string().min(1).max(255),
  filename: z.string().max(255).optional(),
  url: z.string().regex(/^(file:\/\/\/|data:)/, 'must start with "file:///" or "data:"'),
})

export const MessagePart = z.discriminatedUnion('type', [TextPart, FilePart])
export type MessagePart = z.infer<typeof MessagePart>

/** One message of a task. `model` and `agent` hold for this message only. */
export const MessageInput = z
  .strictObject({
    text: Text.optional(),
    parts: z.array(MessagePart).min(1).max(100).optional(),
    model: ModelIDInput.optional(),
    agent: Agent.optional(),
    system: z.string().min(1).optional(),
  })
  .refine((message) => (message.text === undefined) !== (message.parts === undefined), {
    error: 'needs either "text" or "parts"',
    path: ['text'],
  })

/** Flat strings of the producer's own; filterable by `metadata.KEY=VALUE`. */
export const Metadata = z
  .record(z.string().min(1).max(128), z.union([z.string().max(4096), z.number(), z.boolean()]))
  .refine((metadata) => Object.keys(metadata).length <= 50, 'must have at most 50 keys')

/** Also the header `Idempotency-Key`: opaque, a UUID or the name of what asks. */
export const IdempotencyKey = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 printable ASCII characters without blanks')

const MAX_MESSAGES = 100
const DAY_MS = 24 * 60 * 60 * 1000

export const TaskInput = z
  .strictObject({
    type: Name.optional().meta({ description: 'A key of `routes`.' }),
    tier: Name.optional(),
    model: ModelIDInput.optional().meta({ description: '"provider/model" or {providerID, modelID}.' }),
    prompt: Text.optional().meta({ description: 'Short for one message with this text.' }),
    messages: z.array(MessageInput).min(1).max(MAX_MESSAGES).optional(),
    directory: z.string().min(1).max(4096).optional().meta({ description: 'Absolute.' }),
    sessionID: z
      .string()
      .regex(/^ses_[\w-]{1,128}$/, 'must be a session id: "ses_…"')
      .optional()
      .meta({ description: 'Goes on in this session, after what was sent there before. Else a new one.' }),
    isolation: z.enum(['shared', 'exclusive', 'worktree']).optional().meta({
      description:
        'What keeps tasks in one directory apart: nothing (`shared`, the default), one at a time (`exclusive`), or a `worktree` for each.',
    }),
    parentTaskID: TaskID.optional().meta({
      description: 'The task that waits for this one: it waits in no tier, and is cancelled with its parent.',
    }),
    title: z.string().min(1).max(200).optional(),
    agent: Agent.optional(),
    priority: z.int().min(0).max(9).optional().meta({ description: 'As in BullMQ: 0 first, 9 last.' }),
    delayMs: z
      .int()
      .min(0)
      .max(365 * DAY_MS)
      .optional(),
    queueTimeoutMs: z
      .int()
      .min(1000)
      .max(365 * DAY_MS)
      .optional()
      .meta({ description: 'Longest time to wait for the first start, `delayMs` left out.' }),
    timeoutMs: z
      .int()
      .min(1000)
      .max(DAY_MS)
      .optional()
      .meta({ description: 'Wall clock, from the first start of the task.' }),
    maxCostUsd: z.number().min(0.000001).max(1_000_000).optional().meta({
      description:
        'Most it may cost, failed tries counted. Stopped within one step of the model: `budget_exceeded`.',
    }),
    permissions: Permissions.optional().meta({
      description: 'What the agent may do: `allow`, `deny` or `ask`, by permission and pattern.',
    }),
    metadata: Metadata.optional(),
    idempotencyKey: IdempotencyKey.optional().meta({
      description: 'The same key with the same task gives the first answer, and no second task.',
    }),
  })
  .check(checkPrompt, checkIsolation)

/**
 * A task needs one prompt, whichever way it is given. As the next one for `check` and not for `superRefine`, whose
 * `addIssue` is a closure about the input in itself: V8 13.6 keeps such until the old generation is collected.
 */
export function checkPrompt({
  value: { prompt, messages },
  issues,
}: z.core.ParsePayload<{ prompt?: unknown; messages?: unknown }>): void {
  if (prompt === undefined && messages === undefined)
    issues.push(refusal('prompt', 'is required: a prompt, or messages'))
  if (prompt !== undefined && messages !== undefined)
    issues.push(refusal('messages', 'contradicts "prompt": give one of them'))
}

function checkIsolation({
  value: { isolation, sessionID },
  issues,
}: z.core.ParsePayload<{ isolation?: string | undefined; sessionID?: string | undefined }>): void {
  if (isolation !== 'worktree' || sessionID === undefined) return
  issues.push(refusal('isolation', 'contradicts "sessionID": a session stays in its directory'))
}

function refusal(field: string, message: string): z.core.$ZodRawIssue {
  return { code: 'custom', path: [field], input: undefined, message, continue: true }
}

/** What a producer writes. */
export type TaskInput = z.input<typeof TaskInput>
/** What the schema makes of it: models are strings. */
export type ParsedTaskInput = Omit<z.output<typeof TaskInput>, 'messages'> & {
  messages?: ParsedMessage[] | undefined
}
export type ParsedMessage = Omit<z.output<typeof MessageInput>, 'parts'> &
  SessionExtras & { parts?: AnyPart[] | undefined }

/** A part as it is sent; `agent` mentions another agent, and only OpenCode's clients can say so. */
export type AnyPart = (MessagePart | { type: 'agent'; name: string }) & { id?: string | undefined }

/** What OpenCode's own clients may say of a message, through the session API alone. */
export interface SessionExtras {
  /** The client's own; its parts may have ids too. */
  messageID?: string
  variant?: string
  /** Whoever sent it answers what is asked in it. */
  isAttended?: true
  tools?: Readonly<Record<string, boolean>>
}

/** The messages of a task, whichever way they were given. */
export function messagesOf(input: ParsedTaskInput): readonly ParsedMessage[] {
  return input.messages ?? [{ text: input.prompt! }]
}

/** The parts of one message, whichever way they were given. */
export function partsOf(message: ParsedMessage): readonly AnyPart[] {
  return message.parts ?? [{ type: 'text', text: message.text! }]
}

/** Bytes of all that is sent to the model: text, system prompts and inline files. */
export function promptBytes(input: ParsedTaskInput): number {
  let bytes = 0
  for (const message of messagesOf(input)) {
    bytes += Buffer.byteLength(message.system ?? '')
    for (const part of partsOf(message)) bytes += Buffer.byteLength(contentOf(part))
  }
  return bytes
}

function contentOf(part: AnyPart): string {
  if (part.type === 'text') return part.text
  return part.type === 'file' ? part.url : part.name
}
