/**
 * What OpenCode's clients send to make a session and to send it a message, with the model in any spelling:
 * flat as anomalyco/opencode#3517 asked for it, nested as OpenCode has it at creation and on messages, or as text.
 */
import { z } from 'zod'
import { TierlineError } from '../errors.ts'
import { Agent, type AnyPart, Name, type ParsedMessage, Text } from './input.ts'
import { type ModelID, ModelText } from './model-id.ts'
import { parseWith } from './parse-input.ts'
import type { SessionDefault } from './session-default.ts'

const ID = z.string().min(1).max(256)

const NestedModel = z.strictObject({
  providerID: ID,
  /** As OpenCode has it at creation. */
  id: ID.optional(),
  /** As it has it on messages. */
  modelID: ID.optional(),
  variant: z.string().min(1).max(64).optional(),
})

const routeFields = {
  providerID: ID.optional(),
  modelID: ID.optional(),
  model: z.union([ModelText, NestedModel]).optional(),
  tier: Name.optional(),
  type: Name.optional(),
  busy: z.enum(['enqueue', 'reject']).optional(),
}

/** Body of `POST /session`. */
export const SessionBody = z.strictObject({
  ...routeFields,
  title: z.string().min(1).max(200).optional(),
  parentID: z.string().regex(/^ses_/, 'must be a session id: "ses_…"').optional(),
  agent: Agent.optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  permission: z.array(z.unknown()).optional(),
})

const PatchBody = z.strictObject({
  ...routeFields,
  title: z.string().min(1).max(200).optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  permission: z.array(z.unknown()).optional(),
  time: z.strictObject({ archived: z.number().optional() }).optional(),
})

const PartID = z
  .string()
  .regex(/^prt[\w-]{1,128}$/, 'must be a part id: "prt_…"')
  .optional()

const Part = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text'), id: PartID, text: Text }),
  z.looseObject({
    type: z.literal('file'),
    id: PartID,
    mime: z.string().min(1).max(255),
    filename: z.string().max(255).optional(),
    url: z.string().regex(/^(file:\/\/\/|data:)/, 'must start with "file:///" or "data:"'),
  }),
  z.looseObject({ type: z.literal('agent'), id: PartID, name: Agent }),
])

/** Body of `POST /session/:id/message` and `…/prompt_async`. */
export const MessageBody = z.strictObject({
  ...routeFields,
  messageID: z
    .string()
    .regex(/^msg[\w-]{1,128}$/, 'must be a message id: "msg_…"')
    .optional(),
  agent: Agent.optional(),
  variant: z.string().min(1).max(64).optional(),
  system: z.string().min(1).optional(),
  tools: z.record(z.string(), z.boolean()).optional(),
  noReply: z.literal(false, 'is not supported: a message here is a job, and has an answer').optional(),
  parts: z.array(Part).min(1).max(100),
})

export interface SessionInput {
  /** What its messages are routed by. */
  route: SessionDefault
  busy: 'enqueue' | 'reject' | undefined
  /** What OpenCode is told as it is. */
  rest: Omit<z.output<typeof SessionBody>, keyof typeof routeFields>
}

export interface SessionMessage {
  /** Empty: as the session says. */
  route: SessionDefault
  busy: 'enqueue' | 'reject' | undefined
  /** The client's own id; the same again is the same message. */
  messageID: string | undefined
  message: ParsedMessage
}

/** Body of `POST /session`; none is an empty one. @throws {TierlineError} `invalid_input`, `unknown_field`. */
export function parseSessionInput(body: unknown): SessionInput {
  const parsed = parseWith(SessionBody, body ?? {}, 'Cannot open the session')
  const { providerID, modelID, model, tier, type, busy, ...rest } = parsed
  return { route: routeIn(parsed, 'Cannot open the session'), busy, rest }
}

/** Body of `PATCH /session/:id`. @throws as above. */
export function parseSessionPatch(body: unknown) {
  const parsed = parseWith(PatchBody, body, 'Cannot change the session')
  const { providerID, modelID, model, tier, type, busy, ...rest } = parsed
  return { route: routeIn(parsed, 'Cannot change the session'), busy, rest }
}

/** Body of `POST /session/:id/message` and `…/prompt_async`. @throws as above. */
export function parseMessageInput(body: unknown): SessionMessage {
  const parsed = parseWith(MessageBody, body, 'Cannot send the message')
  const { messageID, agent, variant, system, tools, parts, busy } = parsed
  const route = routeIn(parsed, 'Cannot send the message')
  const chosen = variant ?? route.variant
  return {
    route,
    busy,
    messageID,
    message: {
      parts: parts as AnyPart[],
      ...(agent !== undefined && { agent }),
      ...(system !== undefined && { system }),
      ...(messageID !== undefined && { messageID }),
      ...(chosen !== undefined && { variant: chosen }),
      ...(tools !== undefined && { tools }),
    },
  }
}

type RouteFields = z.output<z.ZodObject<typeof routeFields>>

/** The route that is asked for, however it is spelled. @throws {TierlineError} `invalid_input` for a contradiction. */
function routeIn(fields: RouteFields, what: string): SessionDefault {
  const { providerID, modelID, model, tier, type } = fields
  if (providerID === undefined && modelID !== undefined)
    throw refuse(what, 'providerID', 'is required beside "modelID"')
  if (providerID !== undefined && modelID === undefined)
    throw refuse(what, 'modelID', 'is required beside "providerID"')
  const flat = providerID === undefined ? undefined : (`${providerID}/${modelID}` as ModelID)
  const nested = nestedModel(model, what)
  if (flat !== undefined && nested !== undefined && flat !== nested)
    throw refuse(what, 'model', `contradicts "providerID" and "modelID", which say "${flat}"`, nested)
  const chosen = flat ?? nested
  const variant = typeof model === 'object' ? model.variant : undefined
  return {
    ...(chosen !== undefined && { model: chosen }),
    ...(variant !== undefined && { variant }),
    ...(tier !== undefined && { tier }),
    ...(type !== undefined && { type }),
  }
}

function nestedModel(model: RouteFields['model'], what: string): ModelID | undefined {
  if (model === undefined) return undefined
  if (typeof model === 'string') return model as ModelID
  const { providerID, id, modelID } = model
  if (id !== undefined && modelID !== undefined && id !== modelID)
    throw refuse(what, 'model.id', `contradicts "model.modelID", which says "${modelID}"`, id)
  const name = id ?? modelID
  if (name === undefined) throw refuse(what, 'model.modelID', 'is required beside "providerID"')
  return `${providerID}/${name}`
}

function refuse(what: string, field: string, message: string, given?: string): TierlineError {
  return new TierlineError('invalid_input', `${what}: "${field}" ${message}`, {
    errors: [{ field, message, ...(given !== undefined && { given }) }],
  })
}
