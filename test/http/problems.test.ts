import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { ERRORS, TierlineError } from '../../src/errors.ts'
import { Problem } from '../../src/tasks/problem.ts'
import { closeAll, type RunningHttp, send, startHttp, talk } from './start-http.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

let http: RunningHttp

beforeAll(async () => {
  http = await startHttp()
})
beforeEach(() => http.ports.breakWith(undefined))
afterAll(closeAll)

describe('a bad body', () => {
  test.each<[string, unknown, Record<string, string>, object]>([
    [
      'malformed JSON',
      '{"prompt":',
      JSON_TYPE,
      { status: 400, code: 'malformed_json', errors: [{ field: 'body' }] },
    ],
    ['no body', undefined, {}, { status: 422, code: 'invalid_input' }],
    ['an empty body', '', JSON_TYPE, { status: 422, code: 'invalid_input' }],
    ['a list', [], {}, { status: 422, code: 'invalid_input' }],
    [
      'another content type',
      'hi',
      { 'content-type': 'text/plain' },
      {
        status: 415,
        code: 'unsupported_media_type',
        errors: [{ field: 'Content-Type', given: 'text/plain', allowed: ['application/json'] }],
      },
    ],
    ['a form', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }, { status: 415 }],
    [
      'a compressed body',
      '{"prompt":"a"}',
      { ...JSON_TYPE, 'content-encoding': 'gzip' },
      { status: 415, code: 'unsupported_media_type', errors: [{ field: 'Content-Encoding', given: 'gzip' }] },
    ],
    ['no content type', 'hi', {}, { status: 415, code: 'unsupported_media_type' }],
    [
      'a body too large',
      { prompt: 'x'.repeat(65 * 1024) },
      {},
      { status: 413, code: 'too_large', errors: [{ field: 'body' }] },
    ],
    [
      'no prompt',
      { type: 'lint' },
      {},
      { status: 422, code: 'invalid_input', errors: [{ field: 'prompt' }] },
    ],
    [
      'an empty prompt',
      { prompt: '' },
      {},
      { status: 422, code: 'invalid_input', errors: [{ field: 'prompt' }] },
    ],
    [
      'an unknown field',
      { prompt: 'a', promt: 'b' },
      {},
      { status: 422, code: 'unknown_field', errors: [{ field: 'promt' }] },
    ],
    ['a field to come', { prompt: 'a', escalateTo: 'powerful' }, {}, { status: 422, code: 'unknown_field' }],
    [
      'a poisoned key',
      '{"prompt":"a","__proto__":{"x":1}}',
      JSON_TYPE,
      { status: 422, code: 'unknown_field', errors: [{ field: '__proto__' }] },
    ],
    [
      'an unknown model',
      { prompt: 'a', model: 'acme/bigg' },
      {},
      {
        status: 422,
        code: 'unknown_model',
        errors: [{ field: 'model', given: 'acme/bigg', allowed: expect.arrayContaining(['acme/big']) }],
      },
    ],
  ])('%s', async (_name, body, headers, problem) => {
    const answer = await send(`${http.url}/v1/tasks`, { method: 'POST', body, headers })

    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(answer.json()).toMatchObject({ instance: '/v1/tasks', ...problem })
    expect(answer.status).toBe(Problem.parse(answer.json()).status)
    expect((await http.ports.tasks.list({ limit: 10 })).data).toEqual([])
  })

  test('JSON deeper than anyone can write it', async () => {
    const deep = '['.repeat(30_000) + ']'.repeat(30_000)
    for (const path of ['/v1/tasks', '/session', '/session/ses_1/message', '/session/ses_1/fork'])
      for (const body of [deep, `{"prompt":${deep}}`, `{"prompt":"a","metadata":{"a":${deep}}}`]) {
        const answer = await send(http.url + path, { method: 'POST', headers: JSON_TYPE, body })
        expect([answer.status, answer.json()]).toMatchObject([422, { code: 'invalid_input' }])
      }
  })

  test('thousands of mistakes are answered with some of them', async () => {
    const body = Object.fromEntries(Array.from({ length: 4000 }, (_, n) => [`k${n}`, n]))
    const answer = await send(`${http.url}/v1/tasks`, { method: 'POST', body: { prompt: 'a', ...body } })

    expect([answer.status, answer.json()]).toMatchObject([422, { code: 'unknown_field' }])
    expect(answer.text.length).toBeLessThan(10_000)
  })

  test('one that breaks off is nobody’s fault here', async () => {
    const http = await startHttp()
    const head = 'POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
    await talk(http.url, `${head}Content-Length: 50\r\n\r\n{"prompt"`)
    await http.server.close()

    expect(http.logged).toEqual([])
  })

  test('an idempotency key that contradicts itself, is none, or is that of a batch', async () => {
    const key = (value: string) => ({ 'idempotency-key': value })
    const post = async (path: string, headers: Record<string, string>, body: object) =>
      (await send(http.url + path, { method: 'POST', headers, body })).json()

    expect(await post('/v1/tasks', key('k1'), { prompt: 'a', idempotencyKey: 'k2' })).toMatchObject({
      code: 'invalid_input',
      errors: [{ field: 'idempotencyKey', given: 'k2' }],
    })
    expect(await post('/v1/tasks', key('k 1'), { prompt: 'a' })).toMatchObject({
      code: 'invalid_input',
      errors: [{ field: 'idempotencyKey', given: 'k 1' }],
    })
    expect(await post('/v1/tasks/batch', key('k1'), { tasks: [{ prompt: 'a' }] })).toMatchObject({
      code: 'unknown_field',
      errors: [{ field: 'Idempotency-Key' }],
    })
  })

  test('a body or query that the route does not read', async () => {
    const cancel = `${http.url}/v1/tasks/tsk_00000000000000000000000000/cancel`
    const withBody = await send(cancel, { method: 'POST', body: { reason: 'x' } })
    const withQuery = await send(`${http.url}/v1/tasks?wait=1`, { method: 'POST', body: { prompt: 'a' } })

    expect(withBody.json()).toMatchObject({ code: 'unknown_field', errors: [{ field: 'reason' }] })
    expect(withQuery.json()).toMatchObject({ code: 'unknown_field', errors: [{ field: 'wait' }] })
  })
})

describe('a bad query', () => {
  test.each([
    ['/v1/tasks?stat=waiting', 'unknown_field', 'stat'],
    ['/v1/tasks?metadata=x', 'unknown_field', 'metadata.'],
    ['/v1/tasks?metadata.__proto__=x', 'invalid_input', 'metadata.__proto__'],
    ['/v1/tasks?__proto__=x', 'unknown_field', '__proto__'],
    ['/v1/tasks?state=done', 'invalid_input', 'state'],
    ['/v1/tasks?limit=201', 'invalid_input', 'limit'],
    ['/v1/tasks?cursor=x', 'invalid_input', 'cursor'],
    ['/v1/tasks?state=failed&state=waiting', 'invalid_input', 'state'],
    ['/v1/tasks/tsk_00000000000000000000000000/result?waitMs=60001', 'invalid_input', 'waitMs'],
    ['/v1/tasks/tsk_00000000000000000000000000/result?waitms=1', 'unknown_field', 'waitms'],
    ['/v1/tasks/tsk_00000000000000000000000000/events?after=-1', 'invalid_input', 'after'],
    ['/v1/models?tier=fast', 'unknown_field', 'tier'],
  ])('%s', async (path, code, field) => {
    const answer = await send(http.url + path)

    expect([answer.status, answer.json()]).toMatchObject([422, { code, errors: [{ field }] }])
  })

  test('is called a query', async () => {
    const answer = await send(`${http.url}/v1/tasks/tsk_00000000000000000000000000/events?after=x`)

    expect(answer.json()).toMatchObject({
      detail: expect.stringMatching(/^Cannot read the query: "after" must be a number/),
    })
  })
})

describe('a wrong address', () => {
  test('an unknown path is a 404', async () => {
    expect((await send(`${http.url}/v2/tasks?x=1`)).json()).toMatchObject({
      type: '/docs/errors#not_found',
      status: 404,
      instance: '/v2/tasks',
    })
  })

  test('a wrong method is a 405 with Allow, whatever the body', async () => {
    const headers = { 'content-type': 'text/plain' }
    const answer = await send(`${http.url}/v1/tasks`, { method: 'PUT', headers, body: 'x' })

    expect(answer.headers.allow).toBe('GET, HEAD, POST')
    expect([answer.status, answer.json()]).toMatchObject([405, { code: 'method_not_allowed' }])
  })

  test.each([
    'tsk_00000000000000000000000000',
    'tsk_00000000000000000000000000%00',
    'tsk_1',
    'a:b',
    'x'.repeat(90),
  ])('task "%s" is not found', async (id) => {
    for (const path of ['', '/events', '/result']) {
      const answer = await send(`${http.url}/v1/tasks/${id}${path}`)
      expect([answer.status, answer.json()]).toMatchObject([404, { code: 'task_not_found' }])
    }
  })

  test('what cannot be an id never reaches the tasks', async () => {
    const ask = vi.spyOn(http.ports.tasks, 'get')
    await send(`${http.url}/v1/tasks/tsk_1:log`)

    expect(ask).not.toHaveBeenCalled()
  })

  test('what is too long for a path is said to be, and not repeated', async () => {
    const answer = await send(`${http.url}/v1/tasks/${'x'.repeat(3000)}`)

    expect(answer.json()).toMatchObject({
      status: 400,
      code: 'malformed_request',
      detail: 'Cannot read the request: a part of its path is too long',
    })
  })

  test('an unknown tier is not found', async () => {
    const answer = await send(`${http.url}/v1/tiers/none/pause`, { method: 'POST' })

    expect([answer.status, answer.json()]).toMatchObject([404, { code: 'tier_not_found' }])
  })

  test('a path that is no URL, and bytes that are no HTTP, are problems too', async () => {
    expect((await send(`${http.url}/v1/%zz`)).json()).toMatchObject({
      status: 400,
      code: 'malformed_request',
    })

    const raw = await talk(http.url, 'NONSENSE\r\n\r\n')
    expect(raw).toMatch(/^HTTP\/1.1 400 /)
    expect(JSON.parse(raw.split('\r\n\r\n')[1]!)).toMatchObject({ status: 400, code: 'malformed_request' })
  })
})

describe('an error of the server', () => {
  test('is logged and told without its message or stack', async () => {
    http.ports.breakWith(new Error('secret of the inside'))
    const answer = await send(`${http.url}/v1/tasks`, { method: 'POST', body: { prompt: 'a' } })

    expect(answer.json()).toMatchObject({ status: 500, code: 'internal_error' })
    expect(answer.text).not.toMatch(/secret of the inside|at .*\.ts/)
    expect(http.logged).toContain('error Request failed')
  })

  test.each([
    [undefined, '1'],
    [2500, '3'],
  ])('a 503 and a 429 say when to come again (%s ms)', async (retryAfterMs, seconds) => {
    for (const code of ['redis_unavailable', 'queue_full'] as const) {
      http.ports.breakWith(
        new TierlineError(code, 'Cannot …', retryAfterMs === undefined ? {} : { retryAfterMs }),
      )
      const answer = await send(`${http.url}/v1/tasks`)

      expect([answer.status, answer.headers['retry-after']]).toEqual([ERRORS[code].status, seconds])
    }
  })
})

describe('the request id', () => {
  test('is in the header and in the problem', async () => {
    const answer = await send(`${http.url}/nothing`)

    expect(answer.headers['x-request-id']).toMatch(/^req_/)
    expect(answer.json()).toMatchObject({ requestID: answer.headers['x-request-id'] })
  })

  test('is the caller’s own when it is a plain word', async () => {
    const given = await send(`${http.url}/healthz`, { headers: { 'x-request-id': 'ci-42' } })
    const odd = await send(`${http.url}/healthz`, { headers: { 'x-request-id': 'a b"c' } })

    expect(given.headers['x-request-id']).toBe('ci-42')
    expect(odd.headers['x-request-id']).toMatch(/^req_/)
  })
})
