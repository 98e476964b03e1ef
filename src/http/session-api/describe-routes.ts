/** What OpenAPI says of the routes of OpenCode's API that mean something else here. */
import type { FastifySchema } from 'fastify'
import { z } from 'zod'
import type { ErrorCode } from '../../errors.ts'
import { MessageBody, SessionBody } from '../../tasks/session-input.ts'
import { NO_VALIDATION } from '../validation.ts'

const TAGS = ['Sessions']
const SPELLINGS =
  'The model is named flat (`providerID`, `modelID`), as `model: {providerID, id}` or `{providerID, modelID}`, or as `"provider/model"`; `tier` or `type` instead let tierline choose. Two that contradict each other are refused.'
const Params = z.object({ sessionID: z.string().meta({ description: '`ses_…`' }) })
const Directory = z.object({
  directory: z
    .string()
    .optional()
    .meta({ description: 'Absolute; also as the header `x-opencode-directory`.' }),
})

const Session = z
  .looseObject({ id: z.string() })
  .meta({ description: "OpenCode's session, with the model that its next message is sent to" })
const Answer = z
  .looseObject({ info: z.looseObject({ id: z.string() }), parts: z.array(z.looseObject({})) })
  .meta({ description: "OpenCode's own answer, with the model that really answered" })

const OF_PLACES: readonly ErrorCode[] = [
  'invalid_input',
  'directory_not_absolute',
  'directory_not_found',
  'directory_not_allowed',
  'session_not_found',
  'opencode_unavailable',
]
const OF_ROUTES: readonly ErrorCode[] = [
  'unknown_field',
  'unknown_type',
  'unknown_tier',
  'unknown_model',
  'unknown_agent',
  'no_route',
]
const OF_MESSAGES: readonly ErrorCode[] = [
  ...OF_PLACES,
  ...OF_ROUTES,
  'session_busy',
  'idempotency_key_reused',
  'prompt_too_long',
  'unknown_price',
  'budget_exceeded',
  'queue_full',
]

export const CREATE_SESSION = {
  config: { errors: [...OF_PLACES, ...OF_ROUTES] },
  schema: {
    operationId: 'createSession',
    tags: TAGS,
    summary: 'Open a session with a model of its own',
    description: `Its messages go to that model unless they name another for themselves. ${SPELLINGS}`,
    querystring: Directory,
    body: SessionBody,
    response: { 200: Session },
  } as FastifySchema,
  ...NO_VALIDATION,
}

export const SEND_MESSAGE = {
  config: { errors: OF_MESSAGES },
  schema: {
    operationId: 'sendMessage',
    tags: TAGS,
    summary: 'Send a message and wait for its answer',
    description: `The message is a task, in its place among those of the session: \`Location\` and \`x-tierline-task\` name it. A model that it names holds for this message only. ${SPELLINGS}`,
    params: Params,
    querystring: Directory,
    body: MessageBody,
    response: { 200: Answer },
  } as FastifySchema,
  ...NO_VALIDATION,
}

export const SEND_MESSAGE_ASYNC = {
  config: { errors: OF_MESSAGES },
  schema: {
    operationId: 'sendMessageAsync',
    tags: TAGS,
    summary: 'Send a message',
    description: 'As `sendMessage`, and answers as soon as the task is in Redis.',
    params: Params,
    querystring: Directory,
    body: MessageBody,
    response: { 204: z.null().meta({ description: 'Accepted' }) },
  } as FastifySchema,
  ...NO_VALIDATION,
}

export const ABORT_SESSION = {
  config: { errors: OF_PLACES },
  schema: {
    operationId: 'abortSession',
    tags: TAGS,
    summary: 'Cancel what runs and what waits in a session',
    params: Params,
    querystring: Directory,
    response: { 200: z.boolean() },
  } as FastifySchema,
  ...NO_VALIDATION,
}
