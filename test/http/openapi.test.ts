import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { closeAll, type RunningHttp, send, startHttp } from './start-http.ts'

interface Spec {
  openapi: string
  paths: Record<string, Record<string, { responses: Record<string, { content?: Record<string, unknown> }> }>>
  components: { schemas: Record<string, { properties?: Record<string, { description?: string }> }> }
  security: object[]
}

let http: RunningHttp
let spec: Spec

beforeAll(async () => {
  http = await startHttp()
  spec = (await send(`${http.url}/openapi.json`)).json() as Spec
})
afterAll(closeAll)

test('it is valid OpenAPI 3.1', async () => {
  expect(spec.openapi).toBe('3.1.0')
  expect(await new Validator().validate({ ...spec })).toEqual({ valid: true })
})

test('it has every route of the API and none of the pages', () => {
  const routes = Object.entries(spec.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )

  expect(routes.sort()).toEqual([
    'DELETE /v1/tasks/{id}',
    'GET /healthz',
    'GET /readyz',
    'GET /v1/budgets',
    'GET /v1/costs',
    'GET /v1/models',
    'GET /v1/routes',
    'GET /v1/tasks',
    'GET /v1/tasks/{id}',
    'GET /v1/tasks/{id}/asks',
    'GET /v1/tasks/{id}/children',
    'GET /v1/tasks/{id}/events',
    'GET /v1/tasks/{id}/result',
    'GET /v1/version',
    'POST /session',
    'POST /session/{sessionID}/abort',
    'POST /session/{sessionID}/message',
    'POST /session/{sessionID}/prompt_async',
    'POST /v1/compare',
    'POST /v1/routes/explain',
    'POST /v1/tasks',
    'POST /v1/tasks/batch',
    'POST /v1/tasks/{id}/asks/{askID}',
    'POST /v1/tasks/{id}/cancel',
    'POST /v1/tasks/{id}/retry',
    'POST /v1/tiers/{tier}/pause',
    'POST /v1/tiers/{tier}/resume',
  ])
})

test('no schema is empty, and the names are plain', () => {
  expect(JSON.stringify(spec)).not.toMatch(/"(anyOf|oneOf)":\[\]|"schema":\{\}/)
  expect(Object.keys(spec.components.schemas)).toEqual(
    expect.arrayContaining(['NewTask', 'Task', 'TaskEvent', 'TaskOutcome', 'Problem']),
  )
  expect(Object.keys(spec.components.schemas).filter((name) => name.endsWith('Input'))).toEqual([])
  expect(spec.components.schemas.NewTask!.properties!.type!.description).toMatch(/routes/)
})

test('a session and its messages take the model in every spelling', () => {
  const { schemas } = spec.components
  for (const name of ['NewSession', 'NewSessionMessage']) {
    const properties = schemas[name]!.properties as Record<string, { anyOf?: { properties?: object }[] }>
    expect(Object.keys(properties)).toEqual(
      expect.arrayContaining(['providerID', 'modelID', 'model', 'tier', 'type', 'busy']),
    )
    expect(properties.model!.anyOf).toMatchObject([
      { type: 'string' },
      { properties: { providerID: {}, id: {}, modelID: {} } },
    ])
  }
  expect(spec.paths['/session/{sessionID}/message']!.post).toMatchObject({
    requestBody: {
      content: { 'application/json': { schema: { $ref: '#/components/schemas/NewSessionMessage' } } },
    },
  })
})

test('every error is a problem', () => {
  for (const { responses } of Object.values(spec.paths).flatMap((methods) => Object.values(methods))) {
    const bad = Object.entries(responses).filter(([status]) => status === 'default' || status.startsWith('4'))
    expect(bad.length).toBeGreaterThan(0)
    for (const [, { content }] of bad) expect(Object.keys(content!)).toEqual(['application/problem+json'])
  }
})

test('it asks for a key where one is configured', async () => {
  const locked = await startHttp({ apiKeys: [{ name: 'a', secret: 'b' }] })
  const headers = { authorization: 'Bearer b' }

  expect(spec.security).toEqual([])
  expect((await send(`${locked.url}/openapi.json`, { headers })).json()).toMatchObject({
    security: [{ bearer: [] }, { basic: [] }],
    paths: { '/healthz': { get: { security: [] } } },
  })
})
