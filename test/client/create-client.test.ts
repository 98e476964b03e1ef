import { json, text } from 'node:stream/consumers'
import { afterEach, describe, expect, test } from 'vitest'
import { createClient } from '../../src/client/index.ts'
import { type Handler, type RudeServer, sendJson, sendProblem, startRudeServer } from './rude-server.ts'

const ID = 'tsk_01k0000000000000000000000a'
let server: RudeServer | undefined

afterEach(() => server?.stop())

describe('createClient()', () => {
  test.each(['127.0.0.1:4400', 'ftp://a', '', '/v1'])('refuses the url "%s"', (url) => {
    expect(() => createClient({ url })).toThrow(`Cannot create a client for "${url}": it must be a URL`)
  })

  test.each(['redis://me:s3cret@host', 'redis://me:a/s3cret@host', 'http://me:s3cret%zz@host'])(
    'shows no password of a url it refuses: %s',
    (url) => {
      expect(() => createClient({ url })).toThrow(/^Cannot create a client for "((?!s3cret).)*$/)
    },
  )

  test('keeps the path of its url', async () => {
    await serve((_request, response) => sendJson(response, 200, { name: 'tierline' }))

    await createClient({ url: `${server!.url}/under/` }).version()

    expect(server!.requests).toEqual(['GET /under/v1/version'])
  })

  test.each([
    ['apiKey', (url: string) => ({ url, apiKey: 's3cret' })],
    ['the password of its url', (url: string) => ({ url: url.replace('//', '//any:s3cret@') })],
  ])('sends %s as Bearer', async (_what, options) => {
    let authorization: string | undefined
    await serve((request, response) => {
      authorization = request.headers.authorization
      sendJson(response, 200, {})
    })

    await createClient(options(server!.url)).version()

    expect(authorization).toBe('Bearer s3cret')
  })

  test('refuses an id that would lead to another endpoint', async () => {
    await serve((_request, response) => sendJson(response, 200, {}))

    expect(() => client().task('..')).toThrow('Cannot find task ".."')
    await expect(client().get('../routes')).rejects.toMatchObject({ code: 'task_not_found' })
    expect(server!.requests).toEqual([])
  })

  test('list() puts filters and metadata into the query', async () => {
    await serve((_request, response) => sendJson(response, 200, { data: [], nextCursor: null }))

    await client().list({ state: 'failed', metadata: { team: 'a&b' }, limit: 5 })

    expect(server!.requests).toEqual(['GET /v1/tasks?state=failed&limit=5&metadata.team=a%26b'])
  })

  test('enqueueMany() gives a handle or an error for each input', async () => {
    let body = ''
    await serve(async (request, response) => {
      body = await text(request)
      const problem = { code: 'unknown_tier', detail: 'Cannot use tier "x"', errors: [{ field: 'tier' }] }
      sendJson(response, 200, {
        data: [
          { status: 202, task: { id: ID } },
          { status: 422, problem },
        ],
      })
    })

    const results = await client().enqueueMany([{ prompt: 'a' }, { prompt: 'b', tier: 'x' }])

    expect(JSON.parse(body)).toMatchObject({ tasks: [{ prompt: 'a' }, { prompt: 'b', tier: 'x' }] })
    expect(results).toMatchObject([
      { status: 'accepted', handle: { id: ID } },
      { status: 'refused', error: { code: 'unknown_tier', errors: [{ field: 'tier' }] } },
    ])
  })

  test('ready() takes 503 as an answer', async () => {
    await serve((_request, response) => sendJson(response, 503, { checks: { redis: { ok: false } } }))

    await expect(client().ready()).resolves.toEqual({ checks: { redis: { ok: false } } })
  })
})

describe('errors', () => {
  test('carry code, message, fields and the time to wait', async () => {
    await serve((_request, response) => {
      const errors = [{ field: 'model', message: 'is unknown', given: 'a/x', allowed: ['a/y'] }]
      const problem = { code: 'queue_full', detail: 'Cannot queue the task', errors }
      sendProblem(response, 429, problem, { 'retry-after': '7' })
    })

    await expect(client().enqueue({ prompt: 'a' })).rejects.toMatchObject({
      name: 'TierlineError',
      code: 'queue_full',
      message: 'Cannot queue the task',
      errors: [{ field: 'model', message: 'is unknown', given: 'a/x', allowed: ['a/y'] }],
      retryable: true,
      retryAfterMs: 7000,
    })
  })

  test('keep a code that this version does not know', async () => {
    await serve((_request, response) =>
      sendProblem(response, 402, { code: 'budget_spent', detail: 'Cannot …' }),
    )

    await expect(client().enqueue({ prompt: 'a' })).rejects.toMatchObject({
      code: 'budget_spent',
      httpStatus: 402,
      retryable: false,
    })
  })

  test('name the request when the server failed', async () => {
    await serve((_request, response) =>
      sendProblem(response, 500, { code: 'internal_error', detail: 'Cannot answer', requestID: 'r-1' }),
    )

    await expect(client().routes()).rejects.toThrow('Cannot answer (request r-1)')
  })

  test.each([
    [502, '<h1>Bad gateway</h1>'],
    [200, '<h1>Welcome</h1>'],
  ])('say so when it is not tierline that answers (%i)', async (status, page) => {
    await serve((_request, response) => response.writeHead(status).end(page))

    await expect(client().routes()).rejects.toMatchObject({ code: 'unexpected_answer', httpStatus: status })
  })

  test('say that nothing listens there', async () => {
    await serve(() => {})
    await server!.stop()

    await expect(client().routes()).rejects.toThrow(
      `Cannot reach tierline at "${server!.url}": connection refused, nothing listens there`,
    )
  })
})

describe('a repeat', () => {
  const [unavailable, busy] = ['0', undefined].map(
    (retryAfter): Handler =>
      (_request, response) => {
        const problem = { code: 'redis_unavailable', detail: 'Cannot reach Redis' }
        sendProblem(response, 503, problem, retryAfter === undefined ? {} : { 'retry-after': retryAfter })
      },
  )
  const cut: Handler = (request) => request.socket.destroy()

  test.each([
    ['503 with Retry-After', unavailable!],
    ['503', busy!],
    ['a cut connection', cut],
  ])('follows %s for a GET', async (_what, bad) => {
    await serve(bad, (_request, response) => sendJson(response, 200, { generation: 1 }))

    await expect(client().routes()).resolves.toEqual({ generation: 1 })
  })

  test('follows Retry-After for a POST that may be done twice', async () => {
    await serve(unavailable!, (_request, response) => sendJson(response, 200, { id: ID }))

    await expect(client().cancel(ID)).resolves.toEqual({ id: ID })
  })

  test.each([
    ['503 with Retry-After', unavailable!],
    ['a cut connection', cut],
  ])('follows %s for enqueue() and enqueueMany(), with the same keys', async (_what, bad) => {
    const keys: unknown[][] = []
    const keep =
      (then: Handler): Handler =>
      async (request, response, url) => {
        const body = (await json(request)) as { tasks?: { idempotencyKey: string }[] }
        keys.push((body.tasks ?? [body as { idempotencyKey?: string }]).map((task) => task.idempotencyKey))
        then(request, response, url)
      }
    await serve(
      keep(bad),
      keep((_request, response) => sendJson(response, 202, { id: ID })),
      keep(bad),
      keep((_request, response) => sendJson(response, 200, { data: [] })),
    )

    await client().enqueue({ prompt: 'a' })
    await client().enqueueMany([{ prompt: 'a' }, { prompt: 'b', idempotencyKey: 'mine' }])

    expect(keys).toEqual([[expect.any(String)], keys[0], [expect.any(String), 'mine'], keys[2]])
    expect(new Set(keys.flat()).size).toBe(3)
  })

  test('does not follow 429 for enqueue()', async () => {
    await serve((_request, response) =>
      sendProblem(response, 429, { code: 'queue_full', detail: 'Cannot' }, { 'retry-after': '0' }),
    )

    await expect(client().enqueue({ prompt: 'a' })).rejects.toMatchObject({ code: 'queue_full' })
    expect(server!.requests).toHaveLength(1)
  })

  test('does not follow when the server asks for a long wait', async () => {
    await serve((_request, response) =>
      sendProblem(response, 503, { code: 'redis_unavailable', detail: 'Cannot' }, { 'retry-after': '60' }),
    )

    await expect(client().routes()).rejects.toMatchObject({ retryAfterMs: 60_000 })
    expect(server!.requests).toHaveLength(1)
  })
})

/** The first request gets the first handler, and so on; the last one stays. */
async function serve(...handlers: Handler[]): Promise<void> {
  server = await startRudeServer((request, response, url) => {
    const handler = handlers.length > 1 ? handlers.shift()! : handlers[0]!
    handler(request, response, url)
  })
}

function client() {
  return createClient({ url: server!.url })
}
