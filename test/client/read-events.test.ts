import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { type ClientOptions, createClient, type StreamItem } from '../../src/client/index.ts'
import {
  END,
  type Handler,
  openStream,
  type RudeServer,
  sendProblem,
  startRudeServer,
  textEvent,
} from './rude-server.ts'

const ID = 'tsk_01k0000000000000000000000a'
let server: RudeServer

afterEach(() => server.stop())

describe('events()', () => {
  test('goes on behind the last event when the connection is cut, without gap or repeat', async () => {
    const events = await readAll((response, after) => {
      response.write(textEvent(after + 1))
      response.write(textEvent(after + 2))
      // The beginning of an event that never ends.
      response.write(`id: ${after + 3}\nevent: text-delta\nda`)
      if (after < 6) response.write('', () => response.destroy())
      else response.end(`ta: {"seq":${after + 3},"type":"text-delta","text":"!"}\n\n${END}`)
    })

    expect(seqs(events)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 'end'])
    expect(server.requests).toEqual([0, 2, 4, 6].map((after) => `GET /v1/tasks/${ID}/events?after=${after}`))
  })

  test('goes on when the server closes the stream in good order before its end', async () => {
    const events = await readAll((response, after) =>
      response.end(textEvent(after + 1) + (after > 1 ? END : '')),
    )

    expect(seqs(events)).toEqual([1, 2, 3, 'end'])
  })

  test('starts behind "after"', async () => {
    await serve((response, after) => response.end(textEvent(after + 1) + END))

    const events = await collect(client().task(ID).events({ after: 41 }))

    expect(seqs(events)).toEqual([42, 'end'])
  })

  test('drops what comes twice and asks again where a number is missing', async () => {
    const events = await readAll((response, after) => {
      if (after === 0) response.end(textEvent(1) + textEvent(2) + textEvent(2) + textEvent(1) + textEvent(4))
      else response.end(textEvent(2) + textEvent(3) + textEvent(4) + END)
    })

    expect(seqs(events)).toEqual([1, 2, 3, 4, 'end'])
    expect(server.requests.at(-1)).toContain('after=2')
  })

  test('gives up on a number that stays missing', async () => {
    await serve((response) => response.end(textEvent(1) + textEvent(3)))

    await expect(collect(client({ patienceMs: 300 }).task(ID).events())).rejects.toMatchObject({
      code: 'unexpected_answer',
      message: expect.stringContaining('number 3 came where 2 must be'),
    })
  })

  test('passes a reset on and goes on behind it', async () => {
    const events = await readAll((response, after) => {
      const reset = 'id: 480\nevent: reset\ndata: {"missing":[1,480]}\n\n'
      if (after === 0) response.write(reset + textEvent(481), () => response.destroy())
      else response.end(textEvent(after + 1) + END)
    })

    expect(events[0]).toEqual({ type: 'reset', missing: [1, 480] })
    expect(seqs(events)).toEqual(['reset', 481, 482, 'end'])
  })

  test('opens a stream again that fell silent, and a heartbeat is no silence', async () => {
    let beats = 0
    await serve((response, after) => {
      if (after > 0) return response.end(textEvent(after + 1) + END)
      response.write(textEvent(1))
      const heart = setInterval(() => {
        beats += 1
        if (beats === 10) clearInterval(heart)
        response.write(': \n\n')
      }, 200)
      response.on('close', () => clearInterval(heart))
    })

    const events = await collect(client({ silenceMs: 1500 }).task(ID).events())

    expect(seqs(events)).toEqual([1, 2, 'end'])
    expect(beats).toBe(10)
    expect(server.requests).toHaveLength(2)
  })

  test('bears a restart of the server', async () => {
    await serve((response, after) => {
      response.write(textEvent(after + 1))
      if (after > 0) response.end(END)
    })
    let restarted: Promise<void> | undefined
    const knocking: typeof fetch = (input, init) =>
      fetch(input, init).catch((error) => {
        restarted ??= server.start()
        throw error
      })
    const events: StreamItem[] = []
    for await (const event of client({ fetch: knocking }).task(ID).events()) {
      events.push(event)
      if (events.length === 1) await server.stop()
    }

    expect(restarted).toBeDefined()
    expect(seqs(events)).toEqual([1, 2, 'end'])
  })

  test('tells that the server is away when the patience is over', async () => {
    await serve((response) => response.end(textEvent(1)))
    await server.stop()

    await expect(collect(client({ patienceMs: 300 }).task(ID).events())).rejects.toMatchObject({
      code: 'server_unreachable',
      message: `Cannot reach tierline at "${server.url}": connection refused, nothing listens there`,
    })
  })

  test.each([
    [404, 'task_not_found'],
    [410, 'log_expired'],
    [401, 'unauthorized'],
  ])('throws at once on %i %s', async (status, code) => {
    server = await startRudeServer((_request, response) =>
      sendProblem(response, status, { code, detail: 'Cannot …' }),
    )

    await expect(collect(client().task(ID).events())).rejects.toMatchObject({ code })
    expect(server.requests).toHaveLength(1)
  })

  test('waits while the server says that it is not available', async () => {
    await serve((response, after) => response.end(textEvent(after + 1) + END))
    const good: Handler = (_request, response) => {
      openStream(response)
      response.end(textEvent(1) + END)
    }
    server.answer((_request, response) => {
      server.answer(good)
      const problem = { code: 'redis_unavailable', detail: 'Cannot reach Redis' }
      sendProblem(response, 503, problem, { 'retry-after': '0' })
    })

    expect(seqs(await collect(client().task(ID).events()))).toEqual([1, 'end'])
  })

  test('refuses a page that is no event stream', async () => {
    server = await startRudeServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' })
      response.end('<h1>Hello</h1>')
    })

    await expect(collect(client().task(ID).events())).rejects.toMatchObject({ code: 'unexpected_answer' })
  })

  test('gives each event when it comes, and leaving the loop closes the connection', async () => {
    const responses: ServerResponse[] = []
    await serve((response) => {
      responses.push(response)
      response.write(textEvent(1))
    })

    for await (const event of client().task(ID).events()) {
      expect(event).toMatchObject({ seq: 1 })
      break
    }

    if (!responses[0]!.closed) await once(responses[0]!, 'close')
    expect(server.requests).toHaveLength(1)
  })

  test('stops without an error at the signal', async () => {
    await serve((response) => response.write(textEvent(1)))
    const abort = new AbortController()
    const events: StreamItem[] = []

    for await (const event of client().task(ID).events({ signal: abort.signal })) {
      events.push(event)
      setImmediate(() => abort.abort())
    }

    expect(seqs(events)).toEqual([1])
  })

  test('stops without an error at the signal while it still waits for an answer', async () => {
    const asked = Promise.withResolvers<void>()
    server = await startRudeServer(() => asked.resolve())
    const abort = new AbortController()
    const events = collect(client().task(ID).events({ signal: abort.signal }))

    await asked.promise
    abort.abort()

    expect(await events).toEqual([])
  })
})

/** A stream for every request; `after` is what the client asked for. */
async function serve(write: (response: ServerResponse, after: number) => void): Promise<void> {
  server = await startRudeServer((_request, response, url) => {
    openStream(response)
    write(response, Number(url.searchParams.get('after')))
  })
}

async function readAll(write: (response: ServerResponse, after: number) => void): Promise<StreamItem[]> {
  await serve(write)
  return collect(client().task(ID).events())
}

function client(options: Partial<ClientOptions> = {}) {
  return createClient({ url: server.url, ...options })
}

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const collected: Item[] = []
  for await (const item of items) collected.push(item)
  return collected
}

function seqs(events: readonly StreamItem[]): (number | string)[] {
  return events.map((event) => ('seq' in event ? event.seq : event.type))
}
