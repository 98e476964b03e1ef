/** Servers that answer late, wrongly or not at all. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { describe, expect, onTestFinished, test } from 'vitest'
import { freePort } from '../../src/services/free-port.ts'
import { createOpenCodeBackend, type OpenCodeBackendOptions } from '../../src/sessions/opencode/backend.ts'
import { refused } from '../setup/refused.ts'
import { newSession, newTaskID } from './test-turns.ts'

const hasIPv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
)
const NEVER = new AbortController().signal

describe('createOpenCodeBackend()', () => {
  test('finds the session whose creation was never answered, and makes no second one', async () => {
    const made: { id: string; time: { created: number }; metadata: unknown }[] = []
    const backend = await backendOf((request, response) => {
      if (request.url?.startsWith('/event')) return sayConnected(response)
      if (request.method === 'GET')
        return response.end(JSON.stringify(request.url?.startsWith('/session') ? made : []))
      request
        .on('data', () => undefined)
        .on('end', () => {
          made.push({ id: 'ses_lost', time: { created: 1 }, metadata: { tierline: { taskID } } })
          request.socket.destroy()
        })
    })
    const taskID = newTaskID()

    expect(await newSession(backend, { taskID })).toBe('ses_lost')
    expect(made).toHaveLength(1)
  })

  test('asks for an abort no longer than it is told to: by then another turn may run', async () => {
    const enough = new AbortController()
    let tries = 0
    const backend = await backendOf((_request, response) => {
      tries += 1
      response.writeHead(503).end()
      if (tries === 3) enough.abort(new Error('another turn may run'))
    })

    await expect(backend.abort({ sessionID: 'ses_1', directory: undefined }, enough.signal)).rejects.toThrow(
      'another turn may run',
    )
    expect(tries).toBe(3)
  })

  test('tries again when a server that boots never answers', async () => {
    let tries = 0
    const backend = await backendOf((request, response) => {
      if (request.url?.startsWith('/event')) {
        tries += 1
        if (tries > 1) sayConnected(response)
      } else response.end(request.method === 'POST' ? '{"id":"ses_1"}' : '[]')
    })

    expect(await newSession(backend)).toBe('ses_1')
    expect(tries).toBe(2)
  })

  test('finds a session of a server that is just being started again', async () => {
    const asked: string[] = []
    const backend = await backendOf((request, response) => {
      asked.push(request.url!)
      // Refused for a while, then never answered, as by a server that boots.
      if (asked.length <= 8) request.socket.destroy()
      else if (request.url === '/global/health') response.end('{}')
      else if (asked.length > 10)
        response.end(JSON.stringify({ id: 'ses_1', directory: '/work', time: { created: 1 } }))
    })

    expect(await backend.findSession('ses_1')).toMatchObject({ sessionID: 'ses_1', directory: '/work' })
    expect(asked.filter((path) => path.startsWith('/session'))).toHaveLength(3)
  })

  test.for(['GET', 'POST'])('passes a %s on once a server is back that refused it', async (method) => {
    const asked: string[] = []
    const port = await freePort()
    const backend = newBackend(`http://127.0.0.1:${port}`)
    const answer = backend.forward({ method, path: '/session' }, NEVER)
    await refused(`http://127.0.0.1:${port}`)
    await serve((request, response) => {
      asked.push(`${request.method} ${request.url}`)
      // The first who comes while it boots is never answered.
      if (asked.length > 1) response.end('[]')
    }, port)

    expect((await answer).status).toBe(200)
    expect(asked).toEqual(['GET /global/health', 'GET /global/health', `${method} /session`])
  })

  test('passes a request on a second time only where that changes nothing', async () => {
    const asked: string[] = []
    const backend = await backendOf((request, response) => {
      if (request.url === '/global/health') return response.end('{}')
      asked.push(request.method!)
      if (asked.length % 2 === 1) request.socket.destroy()
      else response.end('[]')
    })

    expect((await backend.forward({ method: 'GET', path: '/agent' }, NEVER)).status).toBe(200)
    await expect(backend.forward({ method: 'POST', path: '/session' }, NEVER)).rejects.toMatchObject({
      code: 'opencode_unavailable',
    })
    expect(asked).toEqual(['GET', 'GET', 'POST'])
  })

  test('says what it was asked for when the server does not come back', async () => {
    const backend = newBackend(`http://127.0.0.1:${await freePort()}`, { patienceMs: 300 })

    await expect(backend.forward({ method: 'POST', path: '/session' }, NEVER)).rejects.toMatchObject({
      code: 'opencode_unavailable',
      message: expect.stringMatching(/^Cannot ask OpenCode "127.0.0.1:\d+\/session": .*ECONNREFUSED/),
    })
  })

  test.skipIf(!hasIPv6)('passes on to a server whose URL has an IPv6 address', async () => {
    const backend = newBackend(`http://[::1]:${await serve((_, response) => response.end('[]'), 0, '::1')}`)

    expect((await backend.forward({ method: 'GET', path: '/agent' }, NEVER)).status).toBe(200)
  })

  test('hears all sessions of a directory over one connection, which outlives the last use by a while', async () => {
    const opened: string[] = []
    const closed: string[] = []
    const backend = await backendOf(
      (request, response) => {
        if (!request.url?.startsWith('/event'))
          return response.end(request.method === 'POST' ? '{"id":"ses_1"}' : '[]')
        opened.push(request.url)
        response.on('close', () => closed.push(request.url!))
        sayConnected(response)
      },
      { lingerMs: 200 },
    )
    await Promise.all(Array.from({ length: 8 }, () => newSession(backend)))
    await newSession(backend)
    await newSession(backend, { directory: '/elsewhere' })

    expect(opened).toEqual(['/event', '/event?directory=%2Felsewhere'])
    await expect.poll(() => closed.toSorted(), { timeout: 10_000 }).toEqual(opened)
    await newSession(backend)
    expect(opened).toHaveLength(3)
  })

  test('keeps a connection that gives signs of life, and makes another when they stop', async () => {
    let connections = 0
    let beats = 0
    const backend = await backendOf(
      (request, response) => {
        if (!request.url?.startsWith('/event'))
          return response.end(request.method === 'POST' ? '{"id":"ses_1"}' : '[]')
        connections += 1
        sayConnected(response)
        const timer = setInterval(() => {
          if (beats < 30) response.write('data: {"type":"server.heartbeat","properties":{}}\n\n')
          beats += 1
        }, 100)
        response.on('close', () => clearInterval(timer))
      },
      { silenceMs: 1_500 },
    )
    await newSession(backend)
    await expect.poll(() => beats, { timeout: 20_000 }).toBeGreaterThanOrEqual(30)
    expect(connections).toBe(1)
    await expect.poll(() => connections, { timeout: 20_000 }).toBeGreaterThan(1)
  })

  test('says what is wrong with an answer that is none of OpenCode', async () => {
    const backend = await backendOf((_, response) => response.end('{"providers":"many"}'))
    await expect(backend.catalog(undefined)).rejects.toMatchObject({
      code: 'opencode_unavailable',
      message: expect.stringMatching(
        /^Cannot use OpenCode "local": \/config\/providers answered something else at "providers"/,
      ),
    })
  })

  test('says what a server wants that refuses the password', async () => {
    const backend = await backendOf((_, response) => response.writeHead(401).end())
    await expect(backend.catalog(undefined)).rejects.toMatchObject({
      code: 'opencode_unavailable',
      message:
        'Cannot use OpenCode "local": /config/providers answered 401; OPENCODE_SERVER_PASSWORD must be the one it was started with',
    })
  })

  test('takes a page that is not JSON for no OpenCode', async () => {
    const backend = await backendOf((_, response) => response.writeHead(200).end('<html>'))
    await expect(backend.catalog(undefined)).rejects.toMatchObject({ code: 'opencode_unavailable' })
  })

  test('reports a server whose health is bad', async () => {
    const backend = await backendOf((_, response) => response.writeHead(503).end())
    await expect(backend.check()).rejects.toMatchObject({ code: 'opencode_unavailable', retryable: true })
  })

  test('stops what waits when it is closed', async () => {
    const backend = await backendOf(() => undefined)
    const waiting = newSession(backend)
    await backend.close()
    await expect(waiting).rejects.toMatchObject({ code: 'opencode_unavailable' })
  })
})

type Answer = (...[request, response]: Parameters<RequestListener>) => unknown

async function backendOf(answer: Answer, options: Partial<OpenCodeBackendOptions> = {}) {
  return newBackend(`http://127.0.0.1:${await serve(answer)}`, options)
}

function newBackend(url: string, options: Partial<OpenCodeBackendOptions> = {}) {
  const backend = createOpenCodeBackend({
    ...{ server: 'local', url, username: 'opencode', password: 'secret' },
    ...options,
  })
  onTestFinished(() => backend.close())
  return backend
}

async function serve(answer: Answer, port = 0, host = '127.0.0.1'): Promise<number> {
  const server = createServer((request, response) => void answer(request, response)).listen(port, host)
  await once(server, 'listening')
  onTestFinished(async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  })
  return (server.address() as AddressInfo).port
}

function sayConnected(response: Parameters<RequestListener>[1]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write('data: {"type":"server.connected","properties":{}}\n\n')
}
