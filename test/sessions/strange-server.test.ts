/** Servers that answer late, wrongly or not at all. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createOpenCodeBackend, type OpenCodeBackendOptions } from '../../src/sessions/opencode/backend.ts'
import { newSession, newTaskID } from './test-turns.ts'

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
    let tries = 0
    const backend = await backendOf((request, response) => {
      tries += 1
      // Refused for a while, then never answered, as by a server that boots.
      if (tries <= 8) request.socket.destroy()
      else if (tries > 9)
        response.end(JSON.stringify({ id: 'ses_1', directory: '/work', time: { created: 1 } }))
    })

    expect(await backend.findSession('ses_1')).toMatchObject({ sessionID: 'ses_1', directory: '/work' })
    expect(tries).toBe(10)
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

async function backendOf(
  answer: (...[request, response]: Parameters<RequestListener>) => unknown,
  options: Partial<OpenCodeBackendOptions> = {},
) {
  const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const backend = createOpenCodeBackend({
    server: 'local',
    url: `http://127.0.0.1:${port}`,
    username: 'opencode',
    password: 'secret',
    ...options,
  })
  onTestFinished(async () => {
    await backend.close()
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  })
  return backend
}

function sayConnected(response: Parameters<RequestListener>[1]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write('data: {"type":"server.connected","properties":{}}\n\n')
}
