import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { closeAll, type RunningHttp, send, startHttp, talk } from './start-http.ts'

const SECRET = 'correct-horse'
const KEYS = [
  { name: 'ci', secret: 'another:secret' },
  { name: 'me', secret: SECRET },
]
const EVERYTHING = [
  '/',
  '/v1/tasks',
  '/v1/version',
  '/readyz',
  '/openapi.json',
  '/docs',
  '/docs/errors',
  '/board',
  '/board/api/queues',
  '/board/static/favicon.ico',
  '/nothing',
]

let locked: RunningHttp
let open: RunningHttp

beforeAll(async () => {
  locked = await startHttp({ apiKeys: KEYS })
  open = await startHttp({ allowedHosts: ['tierline.internal'], corsOrigins: ['https://ci.example'] })
})
afterAll(closeAll)

describe('API keys', () => {
  test.each(EVERYTHING)('%s is closed', async (path) => {
    const answer = await send(locked.url + path)

    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect([answer.status, answer.json()]).toMatchObject([401, { code: 'unauthorized' }])
    expect(answer.headers['www-authenticate']).toContain('Basic realm="tierline"')
  })

  test('/healthz alone is open', async () => {
    expect((await send(`${locked.url}/healthz`)).json()).toEqual({ status: 'ok' })
  })

  test.each([
    ['Bearer', `Bearer ${SECRET}`],
    ['bearer in small letters', `bearer ${SECRET}`],
    ['Basic with any user', `Basic ${btoa(`someone:${SECRET}`)}`],
    ['Basic without a user', `Basic ${btoa(`:${SECRET}`)}`],
    ['a secret with a colon', `Basic ${btoa('x:another:secret')}`],
  ])('%s opens', async (_name, authorization) => {
    expect((await send(`${locked.url}/v1/version`, { headers: { authorization } })).status).toBe(200)
  })

  test.each([
    ['a wrong secret', 'Bearer wrong'],
    ['the beginning of one', `Bearer ${SECRET.slice(0, -1)}`],
    ['one with more behind it', `Bearer ${SECRET}x`],
    ['a name', 'Bearer me'],
    ['the secret as user', `Basic ${btoa(`${SECRET}:`)}`],
    ['no colon', `Basic ${btoa(SECRET)}`],
    ['another scheme', `Digest ${SECRET}`],
    ['nothing but the secret', SECRET],
  ])('%s does not', async (_name, authorization) => {
    const answer = await send(`${locked.url}/v1/version`, { headers: { authorization } })

    expect(answer.status).toBe(401)
    expect(answer.text).not.toContain(SECRET)
  })

  test.each([
    [KEYS, 'me'],
    [[], null],
  ])('the request knows the name of its key, or null without keys', async (apiKeys, caller) => {
    const callers: (string | null)[] = []
    const http = await startHttp({ apiKeys }, ({ app }) => {
      app.addHook('preHandler', async (request) => void callers.push(request.caller))
    })
    await send(`${http.url}/v1/version`, { headers: { authorization: `Bearer ${SECRET}` } })

    expect(callers).toEqual([caller])
  })
})

describe('the Host header', () => {
  test.each([
    'localhost',
    'LOCALHOST:1',
    '127.0.0.1:4400',
    '[::1]:4400',
    'tierline.internal',
    'tierline.internal:80',
  ])('%s is allowed', async (host) => {
    expect((await send(`${open.url}/healthz`, { headers: { host } })).status).toBe(200)
  })

  test.each([
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.1',
    'a b',
    'localhost:x',
    '[::2]',
  ])('"%s" is not', async (host) => {
    const answer = await send(`${open.url}/healthz`, { headers: { host } })

    expect([answer.status, answer.json()]).toMatchObject([
      403,
      {
        code: 'host_not_allowed',
        errors: [
          { field: 'Host', given: host, allowed: expect.arrayContaining(['localhost', 'tierline.internal']) },
        ],
      },
    ])
  })

  test('none at all is not', async () => {
    expect(await talk(open.url, 'GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 403 /)
  })

  test('it is asked before the key', async () => {
    const headers = { host: 'evil.example', authorization: `Bearer ${SECRET}` }

    expect((await send(`${locked.url}/v1/tasks`, { headers })).status).toBe(403)
  })

  test('on every interface any address is allowed, and still no unknown name', async () => {
    const { url } = await startHttp({ host: '0.0.0.0' })

    expect((await send(`${url}/healthz`, { headers: { host: '10.1.2.3:4400' } })).status).toBe(200)
    expect((await send(`${url}/healthz`, { headers: { host: 'evil.example' } })).status).toBe(403)
  })
})

describe('pages of other sites', () => {
  const submit = (origin: string) =>
    send(`${open.url}/v1/tiers/fast/pause`, { method: 'POST', headers: { origin } })

  test.each(['https://evil.example', 'null', 'http://localhost:1'])('"%s" may not act', async (origin) => {
    const answer = await submit(origin)

    expect([answer.status, answer.json()]).toMatchObject([403, { code: 'origin_not_allowed' }])
    expect(answer.headers['access-control-allow-origin']).toBeUndefined()
  })

  test('those of this server and of the CORS origins may', async () => {
    expect((await submit(open.url)).status).toBe(200)
    expect((await submit('https://ci.example')).status).toBe(200)
  })

  test('a preflight of a CORS origin is answered without a key', async () => {
    const http = await startHttp({ apiKeys: KEYS, corsOrigins: ['https://ci.example'] })
    const headers = { origin: 'https://ci.example', 'access-control-request-method': 'POST' }
    const answer = await send(`${http.url}/v1/tasks`, { method: 'OPTIONS', headers })

    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([
      204,
      'https://ci.example',
    ])
    expect(answer.headers['access-control-allow-headers']).toContain('Authorization')
  })

  test('an event stream of a CORS origin carries the headers too', async () => {
    const task = await open.ports.tasks.submit({ prompt: 'a' })
    open.ports.finish(task.id, 'succeeded')
    const headers = { origin: 'https://ci.example' }
    const answer = await send(`${open.url}${task.links.events}`, { headers })

    expect(answer.headers['access-control-allow-origin']).toBe('https://ci.example')
  })

  test('without CORS origins nothing is said of CORS', async () => {
    const headers = { origin: 'https://ci.example', 'access-control-request-method': 'POST' }

    expect((await send(`${locked.url}/v1/tasks`, { method: 'OPTIONS', headers })).status).toBe(401)
    const answer = await send(`${locked.url}/healthz`, { headers })
    expect(answer.headers['access-control-allow-origin']).toBeUndefined()
  })
})
