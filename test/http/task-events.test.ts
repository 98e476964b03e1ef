import { once } from 'node:events'
import { type ClientRequest, get, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { TaskEventSchema } from '../../src/tasks/event.ts'
import { closeAll, type RunningHttp, send, startHttp } from './start-http.ts'

let http: RunningHttp

beforeAll(async () => {
  http = await startHttp()
})
afterAll(closeAll)

const submit = (server: RunningHttp = http) => server.ports.tasks.submit({ type: 'lint', prompt: 'a' })
const delta = (text: string) => ({ type: 'text-delta', messageID: 'msg_1', partID: 'prt_1', offset: 0, text })

describe('the stream of a finished task', () => {
  test('gives the whole log, then the end', async () => {
    const { id } = await submit()
    http.ports.push(id, delta('héllo\n😀'))
    http.ports.finish(id, 'succeeded')
    const answer = await send(`${http.url}/v1/tasks/${id}/events`)
    const events = parse(answer.text)

    expect(answer.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-request-id': expect.stringMatching(/^req_/),
    })
    expect(answer.text).toMatch(/^retry: \d+\n\n/)
    expect(events.map(({ id, event }) => [id, event])).toEqual([
      ['1', 'task-queued'],
      ['2', 'task-routed'],
      ['3', 'text-delta'],
      ['4', 'task-finished'],
      [undefined, 'end'],
    ])
    for (const { id, event, data } of events.slice(0, -1))
      expect(TaskEventSchema.parse(JSON.parse(data))).toMatchObject({ seq: Number(id), type: event })
    expect(JSON.parse(events[2]!.data)).toMatchObject({ text: 'héllo\n😀' })
    expect(JSON.parse(events.at(-1)!.data)).toEqual({ state: 'succeeded' })
  })

  test.each<[string, string, Record<string, string>]>([
    ['after', '?after=2', {}],
    ['Last-Event-ID', '', { 'last-event-id': '2' }],
    ['both, where the header is newer', '?after=1', { 'last-event-id': '2' }],
  ])('goes on by %s', async (_name, query, headers) => {
    const { id } = await submit()
    http.ports.finish(id, 'failed')
    const answer = await send(`${http.url}/v1/tasks/${id}/events${query}`, { headers })

    expect(parse(answer.text).map(({ id }) => id)).toEqual(['3', undefined])
  })

  test('refuses a Last-Event-ID that is no number', async () => {
    const { id } = await submit()
    const headers = { 'last-event-id': 'msg_1' }
    const answer = await send(`${http.url}/v1/tasks/${id}/events`, { headers })

    expect([answer.status, answer.json()]).toMatchObject([
      422,
      { code: 'invalid_input', errors: [{ field: 'last-event-id', given: 'msg_1' }] },
    ])
  })

  test('tells of what was trimmed', async () => {
    const { id } = await submit()
    http.ports.trim(id, 2)
    http.ports.finish(id, 'succeeded')
    const [reset, ...rest] = parse((await send(`${http.url}/v1/tasks/${id}/events`)).text)

    expect(reset).toMatchObject({ id: '2', event: 'reset', data: '{"missing":[1,2]}' })
    expect(rest.map(({ id }) => id)).toEqual(['3', undefined])
  })

  test('is a 410 once the log is gone', async () => {
    const { id } = await submit()
    http.ports.finish(id, 'succeeded')
    http.ports.trim(id, 3)
    const answer = await send(`${http.url}/v1/tasks/${id}/events`)

    expect([answer.status, answer.json()]).toMatchObject([410, { code: 'log_expired' }])
  })

  test('has no HEAD', async () => {
    const { id } = await submit()

    expect((await send(`${http.url}/v1/tasks/${id}/events`, { method: 'HEAD' })).status).toBe(405)
  })
})

describe('a live stream', () => {
  test('gives what happens as it happens', async () => {
    const { id } = await submit()
    const stream = await open(`${http.url}/v1/tasks/${id}/events?after=2`)
    for (const text of ['one', 'two']) {
      http.ports.push(id, delta(text))
      await vi.waitFor(() => expect(stream.text()).toContain(`"text":"${text}"`))
    }
    http.ports.finish(id, 'succeeded')
    await stream.ended

    expect(parse(stream.text()).map(({ event }) => event)).toEqual([
      'text-delta',
      'text-delta',
      'task-finished',
      'end',
    ])
  })

  test('writes what is ready in one piece', async () => {
    const { id } = await submit()
    const stream = await open(`${http.url}/v1/tasks/${id}/events?after=2`)
    await vi.waitFor(() => expect(stream.text()).toContain('retry'))
    const before = stream.pieces()
    for (let n = 0; n < 50; n += 1) http.ports.push(id, delta(`${n}`))
    await vi.waitFor(() => expect(parse(stream.text())).toHaveLength(50))

    expect(stream.pieces() - before).toBeLessThan(5)
    stream.leave()
  })

  test('is not cut into chunks for a client that speaks HTTP/1.0', async () => {
    const { id } = await submit()
    const { socket, text } = askRaw(`/v1/tasks/${id}/events?after=2`, 'HTTP/1.0')
    await vi.waitFor(() => expect(text()).toContain('retry'))
    http.ports.push(id, delta('one'))
    await vi.waitFor(() => expect(text()).toContain('"one"'))
    http.ports.finish(id, 'succeeded')
    await once(socket, 'end')

    const [, body] = text().split('\r\n\r\n')
    expect(parse(body!).map(({ event }) => event)).toEqual(['text-delta', 'task-finished', 'end'])
    expect(body).toMatch(/^retry: \d+\n\nid: 3\n/)
  })

  test('comes in turn for a client that asks for more before it has an answer', async () => {
    const { id } = await submit()
    const { socket, text } = askRaw(`/v1/tasks/${id}/events?after=2`, 'HTTP/1.1', 2)
    await vi.waitFor(() => expect(http.ports.readers()).toBe(2))
    http.ports.push(id, delta('é'))
    http.ports.finish(id, 'succeeded')
    await vi.waitFor(() => expect(text().match(/\r\n0\r\n\r\n/g)).toHaveLength(2))

    const [first, second] = text().split('HTTP/1.1 200 OK').slice(1)
    for (const answer of [first!, second!]) expect(answer.match(/event: [a-z-]+/g)).toHaveLength(3)
    socket.destroy()
  })

  test('sends comments while nothing happens', async () => {
    const http = await startHttp({ sse: { heartbeatMs: 10, maxBufferedChars: 1024 } })
    const { id } = await submit(http)
    const stream = await open(`${http.url}/v1/tasks/${id}/events?after=2`)
    await vi.waitFor(() => expect(stream.text()).toMatch(/(:\n\n){3}/))

    expect(parse(stream.text())).toEqual([])
    stream.leave()
  })

  test('stops reading as soon as the client leaves', async () => {
    const { id } = await submit()
    const stream = await open(`${http.url}/v1/tasks/${id}/events`)
    await vi.waitFor(() => expect(http.ports.readers()).toBe(1))
    stream.leave()

    await vi.waitFor(() => expect(http.ports.readers()).toBe(0))
    expect(http.logged).toEqual([])
  })

  test('is cut when the log fails, without an end, and logged', async () => {
    const http = await startHttp()
    const { id } = await submit(http)
    const stream = await open(`${http.url}/v1/tasks/${id}/events`)
    await vi.waitFor(() => expect(stream.text()).toContain('task-routed'))
    http.ports.breakWith(new Error('away'))

    await expect(stream.ended).rejects.toThrow('aborted')
    expect(stream.text()).not.toContain('event: end')
    expect(http.logged).toEqual(['warn Event stream was cut'])
  })

  test('ends at once when the server closes, without an end of the task', async () => {
    const http = await startHttp()
    const { id } = await submit(http)
    const stream = await open(`${http.url}/v1/tasks/${id}/events`)
    await vi.waitFor(() => expect(stream.text()).toContain('task-routed'))
    await http.server.close()
    await stream.ended

    expect(parse(stream.text()).map(({ event }) => event)).toEqual(['task-queued', 'task-routed'])
    expect(http.ports.readers()).toBe(0)
  })
})

describe('a slow reader', () => {
  const EVENTS = 6000
  const TEXT = 'x'.repeat(8000)

  test('is waited for, and then gets everything', async () => {
    const http = await startHttp({}, watchSockets)
    const { id } = await submit(http)
    for (let n = 0; n < EVENTS; n += 1) http.ports.push(id, delta(TEXT))
    http.ports.finish(id, 'succeeded')

    const stream = await open(`${http.url}/v1/tasks/${id}/events?after=2`, { paused: true })
    await vi.waitFor(() => expect(sockets.some((socket) => socket.writableNeedDrain)).toBe(true))
    await stalled(http)
    expect(http.ports.pulled()).toBeLessThan(EVENTS / 2)
    expect(Math.max(...sockets.map((socket) => socket.writableLength))).toBeLessThan(256 * 1024)

    stream.resume()
    await stream.ended
    expect(parse(stream.text())).toHaveLength(EVENTS + 2)
  })

  test('does not keep the server from closing', async () => {
    const http = await startHttp({}, watchSockets)
    const { events } = http.ports.tasks
    http.ports.tasks.events = async function* (id, options) {
      yield* events(id, options)
      // Later than the server looks for connections that have nothing to do.
      await vi.waitFor(() => expect(http.server.app.server.listening).toBe(false))
    }
    const { id } = await submit(http)
    for (let n = 0; n < EVENTS; n += 1) http.ports.push(id, delta(TEXT))
    const stream = await open(`${http.url}/v1/tasks/${id}/events`, { paused: true })
    await vi.waitFor(() => expect(sockets.some((socket) => socket.writableNeedDrain)).toBe(true))
    await stalled(http)
    const force = vi.spyOn(http.server.app.server, 'closeAllConnections')

    await http.server.close()
    expect(force).not.toHaveBeenCalled()
    expect(http.ports.readers()).toBe(0)
    stream.leave()
  })

  const sockets: Socket[] = []
  const watchSockets = ({ app }: RunningHttp['server']) => {
    sockets.length = 0
    app.server.on('connection', (socket) => sockets.push(socket))
  }
})

/** Resolves once nothing more is pulled for a while in which others are served. */
async function stalled(http: RunningHttp): Promise<void> {
  let last = -1
  for (let same = 0; same < 20; ) {
    await send(`${http.url}/healthz`)
    same = http.ports.pulled() === last ? same + 1 : 0
    last = http.ports.pulled()
  }
}

function parse(text: string): EventSourceMessage[] {
  const events: EventSourceMessage[] = []
  createParser({ onEvent: (event) => events.push(event) }).feed(text)
  return events
}

/** The same request so many times at once, over one connection; `text` is all that came back, with its headers. */
function askRaw(path: string, version: 'HTTP/1.0' | 'HTTP/1.1', times = 1) {
  const { hostname, port, host } = new URL(http.url)
  const socket = connect(Number(port), hostname)
  const pieces: string[] = []
  socket.setEncoding('utf8').on('data', (piece: string) => pieces.push(piece))
  socket.write(`GET ${path} ${version}\r\nHost: ${host}\r\n\r\n`.repeat(times))
  return { socket, text: () => pieces.join('') }
}

interface OpenStream {
  text(): string
  /** How many pieces it came in. */
  pieces(): number
  /** Rejects when the connection is cut. */
  ended: Promise<void>
  resume(): void
  leave(): void
}

function open(url: string, { paused = false } = {}): Promise<OpenStream> {
  return new Promise((resolve, reject) => {
    const request: ClientRequest = get(url, { agent: false })
    request.on('error', reject).on('response', (response: IncomingMessage) => {
      const pieces: string[] = []
      const ended = new Promise<void>((over, cut) => response.on('end', over).on('error', cut))
      ended.catch(() => {})
      const resume = () => {
        response.setEncoding('utf8').on('data', (piece) => pieces.push(piece))
      }
      if (!paused) resume()
      resolve({
        text: () => pieces.join(''),
        pieces: () => pieces.length,
        ended,
        resume,
        leave: () => request.destroy(),
      })
    })
  })
}
