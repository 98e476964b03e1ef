import { once } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import { createClient, isTierlineError } from '../../src/client/index.ts'
import { type Handler, type RudeServer, sendJson, sendProblem, startRudeServer } from './rude-server.ts'

const ID = 'tsk_01k0000000000000000000000a'
let server: RudeServer

afterEach(() => server.stop())

describe('result()', () => {
  test('asks until the task is over', async () => {
    await serve(running, running, over('succeeded'))

    await expect(handle().result()).resolves.toEqual({ id: ID, state: 'succeeded', result: null })
    expect(server.requests).toEqual(Array(3).fill(`GET /v1/tasks/${ID}/result?waitMs=25000`))
  })

  test.each(['failed', 'cancelled'])('resolves for a %s task, too', async (state) => {
    await serve(over(state))

    await expect(handle().result()).resolves.toMatchObject({ state })
  })

  test('throws not_finished when the time is over', async () => {
    await serve(running)

    await expect(handle().result({ timeoutMs: 300 })).rejects.toMatchObject({
      code: 'not_finished',
      message: 'Cannot give the result: not finished after 300 ms',
    })
    expect(server.requests[0]).toContain('waitMs=300')
  })

  test('bears that the server is away for a while', async () => {
    await serve(cut, notAvailable, cut, over('succeeded'))

    await expect(handle().result()).resolves.toMatchObject({ state: 'succeeded' })
  })

  test('throws when the server stays away', async () => {
    await serve(cut)

    await expect(handle({ patienceMs: 300 }).result()).rejects.toMatchObject({ code: 'server_unreachable' })
  })

  test('throws at once what no waiting can change', async () => {
    await serve((_request, response) =>
      sendProblem(response, 404, { code: 'task_not_found', detail: `Cannot find task "${ID}"` }),
    )

    await expect(handle().result()).rejects.toMatchObject({ code: 'task_not_found' })
    expect(server.requests).toHaveLength(1)
  })

  test('stops waiting at the signal, with its reason', async () => {
    const asked = Promise.withResolvers<void>()
    await serve((_request, response) => {
      asked.resolve()
      response.flushHeaders()
    })
    const abort = new AbortController()
    const result = handle().result({ signal: abort.signal })

    await asked.promise
    abort.abort(new Error('enough'))

    const error = await result.catch((error) => error)
    expect(error.message).toBe('enough')
    expect(isTierlineError(error)).toBe(false)
  })
})

const running: Handler = (_request, response) => sendJson(response, 202, { id: ID, state: 'running' })
const cut: Handler = (request) => request.socket.destroy()
const notAvailable: Handler = (_request, response) => {
  const problem = { code: 'redis_unavailable', detail: 'Cannot reach Redis' }
  sendProblem(response, 503, problem, { 'retry-after': '0' })
}
const over =
  (state: string): Handler =>
  (_request, response) =>
    sendJson(response, 200, { id: ID, state, result: null })

/** The first request gets the first handler, and so on; the last one stays. */
async function serve(...handlers: Handler[]): Promise<void> {
  server = await startRudeServer((request, response, url) => {
    const handler = handlers.length > 1 ? handlers.shift()! : handlers[0]!
    void once(request.resume(), 'end').catch(() => {})
    handler(request, response, url)
  })
}

function handle(options: { patienceMs?: number } = {}) {
  return createClient({ url: server.url, ...options }).task(ID)
}
