/** A server that tierline starts gives the text of open parts, so that who joins late shows it at once. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SessionBackend, Turn, TurnEvent } from '../../src/sessions/backend.ts'
import { createOpenCodeBackend } from '../../src/sessions/opencode/backend.ts'
import { type ScriptedProvider, startScriptedProvider } from '../provider/server.ts'
import { type OpenCodeServer, startOpenCodeServer } from '../setup/opencode-server.ts'
import { startTcpProxy } from '../setup/tcp-proxy.ts'
import { readTurn } from './read-turn.ts'
import { listen, newSession, textsIn, turnOf } from './test-turns.ts'

let provider: ScriptedProvider
let server: OpenCodeServer
const backends: SessionBackend[] = []

beforeAll(async () => {
  provider = await startScriptedProvider()
  server = await startOpenCodeServer({ providerUrl: provider.url, tap: true })
}, 120_000)

afterAll(async () => {
  await Promise.all(backends.map((backend) => backend.close()))
  await server?.stop()
  await provider?.close()
}, 60_000)

test('who takes over shows the open part from its beginning, and what follows as it comes', async () => {
  const { hold, turn } = await newTurn('@reasoning:2 @words:3 @hold:NAME @words:2 @hold:NAME2 @words:1')
  const first = listen(newBackend(), turn)
  await first.heard((events) => textsIn(events) === 5)

  const second = listen(newBackend(), turn)
  await second.heard((events) => textOf(events) === 'the1 quick2 brown3')
  provider.release(hold)
  await second.heard((events) => textOf(events) === 'the1 quick2 brown3 fox4 jumps5')
  provider.release(`${hold}2`)

  expect(await second.outcome).toEqual(await first.outcome)
  expect(second.events.map(({ type }) => type)).not.toContain('part-lagging')
  expect(readTurn(second.events)).toEqual(readTurn(first.events))
}, 120_000)

test('a connection that breaks costs no stall', async () => {
  const proxy = await startTcpProxy(server.url)
  const { hold, turn } = await newTurn('@words:3 @hold:NAME @words:2 @hold:NAME2 @words:1')
  const running = listen(newBackend({ url: proxy.url }), turn)
  await running.heard((events) => textsIn(events) === 3)

  proxy.cut()
  provider.release(hold)
  await running.heard((events) => textOf(events) === 'the1 quick2 brown3 fox4 jumps5')
  provider.release(`${hold}2`)

  expect(await running.outcome).toMatchObject({ text: 'the1 quick2 brown3 fox4 jumps5 over6' })
  expect(readTurn(running.events).texts).toEqual(['the1 quick2 brown3 fox4 jumps5 over6'])
  expect(running.events.map(({ type }) => type)).not.toContain('part-lagging')
  await backends.pop()!.close()
  await proxy.close()
}, 120_000)

test('a tap that does not answer is announced as a stall', async () => {
  const { hold, turn } = await newTurn('@words:3 @hold:NAME @words:1 @hold:NAME2')
  const first = listen(newBackend(), turn)
  await first.heard((events) => textsIn(events) === 3)

  const second = listen(newBackend({ tapUrl: 'http://127.0.0.1:1' }), turn)
  await second.heard((events) => events.some(({ type }) => type === 'part-lagging'))
  provider.release(hold)
  provider.release(`${hold}2`)

  expect(await second.outcome).toEqual(await first.outcome)
  expect(readTurn(second.events)).toEqual(readTurn(first.events))
}, 120_000)

test('opens to nobody without the password', async () => {
  const ask = (headers: Record<string, string>) => fetch(`${server.tapUrl}/session/ses_1`, { headers })

  expect((await ask({})).status).toBe(401)
  expect((await ask({ authorization: `Basic ${btoa('opencode:guessed')}` })).status).toBe(401)
  expect((await fetch(`${server.tapUrl}/`)).status).toBe(404)
}, 120_000)

function newBackend(overrides: { url?: string; tapUrl?: string } = {}): SessionBackend {
  const { url, tapUrl, username, password } = server
  const address = { url, tapUrl, username, password, ...overrides }
  const backend = createOpenCodeBackend({ server: 'local', patienceMs: 90_000, ...address })
  backends.push(backend)
  return backend
}

async function newTurn(prompt: string): Promise<{ hold: string; turn: Turn }> {
  const hold = `hold-${randomUUID()}`
  const text = prompt.replaceAll('NAME', hold)
  return { hold, turn: turnOf(await newSession(newBackend()), text) }
}

/** All text shown so far. */
function textOf(events: readonly TurnEvent[]): string {
  return events
    .flatMap((event) => (event.type === 'text' && event.kind === 'text' ? [event.text] : []))
    .join('')
}
