/** `/openapi.json`: OpenAPI 3.1 from the schemas that the routes are made of. */
import { STATUS_CODES } from 'node:http'
import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ERRORS, type ErrorCode } from '../errors.ts'
import { COMPONENTS } from './openapi-schemas.ts'
import { PROBLEM_JSON } from './problem.ts'

type JsonSchema = z.core.JSONSchema.BaseSchema

const TAGS = [
  { name: 'Tasks', description: 'Submit tasks, watch them, get their results.' },
  {
    name: 'Sessions',
    description:
      "OpenCode's sessions, their messages as tasks. The rest of its API is passed on: docs/session-api.md.",
  },
  { name: 'Routing', description: 'Tiers and models, and why a task gets which.' },
  { name: 'Money', description: 'What may be spent, and what was.' },
  { name: 'Health', description: 'Is it there, and can it work?' },
]

/** Of every route; OpenAPI shows them as its `default` answer. */
const EVERYWHERE: readonly ErrorCode[] = [
  'unauthorized',
  'host_not_allowed',
  'origin_not_allowed',
  'redis_unavailable',
  'internal_error',
]

const OF_BODIES: readonly ErrorCode[] = ['malformed_json', 'too_large', 'unsupported_media_type']

/** `locked`: whether API keys are configured. */
export function registerOpenApi(app: FastifyInstance, options: { version: string; locked: boolean }): void {
  const shared = { schemaRegistry: COMPONENTS, zodToJsonConfig: { override: describe } }
  const toSchemas = createJsonSchemaTransform(shared)
  const toComponents = createJsonSchemaTransformObject(shared)

  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'tierline',
        version: options.version,
        description: 'Durable job queue that dispatches agent tasks to OpenCode sessions by model tier.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      tags: TAGS,
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer' },
          basic: { type: 'http', scheme: 'basic', description: 'Any user; the secret is the password.' },
        },
      },
      security: options.locked ? [{ bearer: [] }, { basic: [] }] : [],
    },
    transform: (document) => {
      const { schema, url } = toSchemas(document)
      const { config } = document.route
      if (schema.hide !== true) {
        const errors = [...(config?.errors ?? []), ...(schema.body === undefined ? [] : OF_BODIES)]
        schema.response = { ...named(schema.response), ...problemAnswers(errors) }
        if (config?.open === true) schema.security = []
      }
      return { schema, url }
    },
    transformObject: (document) => onlyUsed(toComponents(document)) as ReturnType<typeof toComponents>,
  })

  let text: string | undefined
  app.get('/openapi.json', { schema: { hide: true } }, (_request, reply) => {
    text ??= JSON.stringify(app.swagger())
    return reply.type('application/json').send(text)
  })
}

/** Descriptions stand in zod's own registry. The bounds of safe integers are noise. */
function describe({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodType; jsonSchema: JsonSchema }): void {
  const { description } = z.globalRegistry.get(zodSchema) ?? {}
  if (description !== undefined) jsonSchema.description ??= description
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
}

/** Good answers with the name of their status. */
function named(responses: unknown): Record<string, object> {
  return Object.fromEntries(
    Object.entries((responses ?? {}) as Record<string, object>).map(([status, schema]) => {
      if (status === '204' || 'content' in schema) return [status, schema]
      return [status, { description: STATUS_CODES[status], content: { 'application/json': { schema } } }]
    }),
  )
}

/** `{ 404: …, 422: …, default: … }`, each a problem with the codes it may have. */
function problemAnswers(codes: readonly ErrorCode[]): Record<string, object> {
  const byStatus = new Map<string, ErrorCode[]>([['default', [...EVERYWHERE]]])
  for (const code of codes) {
    const status = String(ERRORS[code].status)
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  const content = { [PROBLEM_JSON]: { schema: { $ref: '#/components/schemas/Problem' } } }
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => [
      status,
      { description: of.map((code) => `\`${code}\`: ${ERRORS[code].title}`).join('. '), content },
    ]),
  )
}

/**
 * Each named schema comes twice, as `Task` for answers and `TaskInput` for bodies. Keeps those that are
 * referred to, and gives a body its plain name where no answer has it.
 */
function onlyUsed(document: object): object {
  let spec = document as { components: { schemas: Record<string, unknown> } }
  for (;;) {
    const text = JSON.stringify(spec)
    const { schemas } = spec.components
    const used = Object.keys(schemas).filter((name) => text.includes(`"#/components/schemas/${name}"`))
    if (used.length === Object.keys(schemas).length) break
    const kept = Object.fromEntries(used.map((name) => [name, schemas[name]]))
    spec = { ...spec, components: { ...spec.components, schemas: kept } }
  }
  let text = JSON.stringify(spec)
  for (const name of Object.keys(spec.components.schemas)) {
    const plain = name.replace(/Input$/, '')
    if (plain === name || plain in spec.components.schemas) continue
    text = text.replaceAll(`/schemas/${name}"`, `/schemas/${plain}"`).replace(`"${name}":`, `"${plain}":`)
  }
  return JSON.parse(text) as object
}
