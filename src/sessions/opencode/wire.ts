/**
 * What tierline reads of OpenCode's JSON, v1, measured on 1.18.33. Fields it does not name may come and go.
 */
import { z } from 'zod'

const Text = z.string()
const Count = z.number().default(0)

const Tokens = z.object({
  input: Count,
  output: Count,
  reasoning: Count,
  cache: z.object({ read: Count, write: Count }).default({ read: 0, write: 0 }),
})

/** `{ name: 'APIError', data: { message, statusCode, isRetryable } }`; `data` differs by name. */
export const WireError = z.object({
  name: Text,
  data: z
    .looseObject({
      message: Text.optional(),
      statusCode: z.number().optional(),
      isRetryable: z.boolean().optional(),
      responseHeaders: z.record(Text, z.unknown()).optional(),
    })
    .default({}),
})
export type WireError = z.infer<typeof WireError>

const UserInfo = z.object({
  role: z.literal('user'),
  id: Text,
  sessionID: Text,
  time: z.object({ created: z.number() }),
})

const AssistantInfo = z.object({
  role: z.literal('assistant'),
  id: Text,
  sessionID: Text,
  parentID: Text,
  providerID: Text,
  modelID: Text,
  cost: Count,
  tokens: Tokens.optional(),
  time: z.object({ created: z.number(), completed: z.number().optional() }),
  /** `stop`, `length`, `tool-calls`, `unknown`, …; absent while it runs, after an error and after an abort. */
  finish: Text.optional(),
  error: WireError.optional(),
  /** True: made by compaction, no part of the answer. */
  summary: z.boolean().default(false),
})
export type AssistantInfo = z.infer<typeof AssistantInfo>

export const MessageInfo = z.discriminatedUnion('role', [UserInfo, AssistantInfo])
export type MessageInfo = z.infer<typeof MessageInfo>

const inMessage = { id: Text, messageID: Text, sessionID: Text }

const TextPart = z.object({
  ...inMessage,
  type: z.enum(['text', 'reasoning']),
  text: Text,
  synthetic: z.boolean().default(false),
  /** `end` is set when no more text comes; until then the text is not told but in deltas. */
  time: z.object({ start: z.number().optional(), end: z.number().optional() }).optional(),
})
export type TextPart = z.infer<typeof TextPart>

const ToolPart = z.object({
  ...inMessage,
  type: z.literal('tool'),
  tool: Text,
  callID: Text,
  state: z.object({
    status: z.enum(['pending', 'running', 'completed', 'error']),
    input: z.unknown().optional(),
    title: Text.optional(),
    error: Text.optional(),
    /** UTF-16 units of it. */
    output: Text.transform(({ length }) => length)
      .optional()
      .catch(undefined),
    /** Of the tool `task`: the session it has started, or goes on with. */
    metadata: z.object({ sessionId: Text.optional() }).optional().catch(undefined),
    time: z.object({ end: z.number().optional() }).optional().catch(undefined),
  }),
})
export type ToolPart = z.infer<typeof ToolPart>

const OtherPart = z.object({ ...inMessage, type: z.enum(['step-start', 'step-finish', 'compaction']) })

const KnownPart = z.discriminatedUnion('type', [TextPart, ToolPart, OtherPart])

/** Parts of kinds that tierline does not look at (patch, snapshot, file, …) come out as `other`. */
export const WirePart = KnownPart.or(
  z.looseObject({ ...inMessage, type: Text }).transform(({ id, messageID, sessionID }) => ({
    type: 'other' as const,
    id,
    messageID,
    sessionID,
  })),
)
export type WirePart = z.infer<typeof WirePart>

export const WireMessage = z.object({ info: MessageInfo, parts: z.array(WirePart) })
export type WireMessage = z.infer<typeof WireMessage>

export const MessageList = z.array(WireMessage)
export type Messages = z.infer<typeof MessageList>

/** The same, with all that is in them. */
export const RawMessages = z.array(z.looseObject({ info: z.looseObject({ id: Text }) }))
export type RawMessages = z.infer<typeof RawMessages>

/** `next`: epoch ms of the next try. */
export const SessionStatus = z.discriminatedUnion('type', [
  z.object({ type: z.literal('idle') }),
  z.object({ type: z.literal('busy') }),
  z.object({ type: z.literal('retry'), attempt: z.number(), message: Text, next: z.number() }),
])
export type SessionStatus = z.infer<typeof SessionStatus>

export const Statuses = z.record(Text, SessionStatus)
export type Statuses = z.infer<typeof Statuses>

/** A session that is not among them is idle. */
export function isBusyIn(statuses: Statuses, sessionID: string): boolean {
  return (statuses[sessionID]?.type ?? 'idle') !== 'idle'
}

export const Created = z.object({ id: Text })

export const SessionInfo = z.object({
  id: Text,
  directory: Text.optional(),
  parentID: Text.optional(),
  metadata: z.record(Text, z.unknown()).optional(),
  time: z.object({ created: z.number() }),
})
export type SessionInfo = z.infer<typeof SessionInfo>

export const SessionList = z.array(SessionInfo)

const Question = z
  .object({
    question: Text.default(''),
    header: Text.default(''),
    options: z.array(z.object({ label: Text, description: Text.default('') })).default([]),
    multiple: z.boolean().default(false),
  })
  .catch({ question: '', header: '', options: [], multiple: false })

export const Ask = z.object({
  id: Text,
  sessionID: Text,
  permission: Text.default(''),
  patterns: z.array(Text).default([]),
  /** What OpenCode proposes to allow with `always`. */
  always: z.array(Text).default([]),
  questions: z.array(Question).default([]),
  tool: z.object({ messageID: Text.optional() }).optional().catch(undefined),
})
export type Ask = z.infer<typeof Ask>

export const Asks = z.array(Ask)
export type Asks = z.infer<typeof Asks>

export const CreatedWorktree = z.object({ directory: Text })

/** Roots of the copies of one repository. */
export const WorktreeList = z.array(Text)

/** `worktree`: root of the repository that holds `directory`. */
export const Paths = z.object({ worktree: Text, directory: Text })

export const Branches = z.object({ branch: Text.optional(), default_branch: Text.optional() })

export const Changes = z.array(z.object({ patch: Text.default('') }))

const WireRates = z.object({
  input: Count,
  output: Count,
  cache: z.object({ read: Count, write: Count }).default({ read: 0, write: 0 }),
})
export type WireRates = z.infer<typeof WireRates>

const WireModel = z.object({
  id: Text,
  name: Text.optional(),
  status: Text.default('active'),
  capabilities: z.object({ toolcall: z.boolean().default(false) }).optional(),
  /** `tiers` beat `experimentalOver200K`, which says the same of older models; both may be there. */
  cost: WireRates.extend({
    tiers: z
      .array(WireRates.extend({ tier: z.object({ type: Text, size: z.number() }) }))
      .optional()
      .catch(undefined),
    experimentalOver200K: WireRates.optional().catch(undefined),
  }).optional(),
  limit: z.object({ context: Count, output: Count }).default({ context: 0, output: 0 }),
})
export type WireModel = z.infer<typeof WireModel>

/** Options, and with them API keys, are left out here and so never enter tierline. */
export const Providers = z.object({
  providers: z.array(z.object({ id: Text, models: z.record(Text, WireModel) })),
  default: z.record(Text, Text).default({}),
})
export type Providers = z.infer<typeof Providers>

/** `model` as configured: `provider/model`. Everything else in it, secrets too, stays outside. */
export const Config = z.object({ model: Text.optional() })
export type Config = z.infer<typeof Config>

export const Agents = z.array(z.object({ name: Text, mode: Text, hidden: z.boolean().default(false) }))
export type Agents = z.infer<typeof Agents>
