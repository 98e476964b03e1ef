/**
 * Records what a real OpenCode says in the situations that matter: `node test/sessions/record-fixtures.ts`.
 *
 * One file per situation in `fixtures/`: the events of the session in order, and lists of its messages
 * (`GET /session/:id/message`) by name, each with the number of events seen before it was asked for.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createParser } from 'eventsource-parser'
import { type ScriptedProvider, startScriptedProvider } from '../provider/server.ts'
import { type OpenCodeServer, startOpenCodeServer } from '../setup/opencode-server.ts'

interface Recording {
  messageID: string
  events: { type: string; properties: Record<string, unknown> }[]
  snapshots: Record<string, { afterEvents: number; messages: unknown }>
}

interface Stage {
  provider: ScriptedProvider
  server: OpenCodeServer
  /** Sends the prompt; a second message of the same session when `messageID` is given. */
  send(text: string, overrides?: Record<string, unknown>): Promise<void>
  snapshot(name: string): Promise<void>
  event(matches: (event: Recording['events'][number]) => boolean, times?: number): Promise<void>
  /** Waits for `session.idle`, the `times`-th. */
  idle(times?: number): Promise<void>
  abort(): Promise<void>
  listen(): Promise<void>
}

const SITUATIONS: Record<string, (stage: Stage, name: string) => Promise<void>> = {
  async plain(stage) {
    await stage.send('@reasoning:2 @say: Hello there, friend')
    await stage.idle()
    await stage.snapshot('end')
  },
  async streaming(stage) {
    await stage.send('@words:3 @hold:streaming @words:2')
    await stage.provider.held('streaming')
    await stage.event(({ type }) => type === 'message.part.delta', 3)
    await stage.snapshot('open')
    stage.provider.release('streaming')
    await stage.idle()
    await stage.snapshot('end')
  },
  async tool(stage) {
    await stage.send(
      '@say: Let me look.\n@tool bash {"command":"echo hi","description":"says hi"}\n@say: It says hi.',
    )
    await stage.idle()
    await stage.snapshot('end')
  },
  async 'provider-drop'(stage) {
    await stage.send('@reasoning:2 @words:3 @hold:drop @drop:1')
    await stage.provider.held('drop')
    await stage.event(({ type }) => type === 'message.part.delta', 4)
    stage.provider.release('drop')
    await stage.idle()
    await stage.snapshot('end')
  },
  async aborted(stage) {
    await stage.send('@words:3 @hold:aborted')
    await stage.provider.held('aborted')
    await stage.event(({ type }) => type === 'message.part.delta', 3)
    await stage.abort()
    await stage.idle(2)
    await stage.snapshot('end')
  },
  async 'aborted-in-retry'(stage) {
    await stage.send('@status:429 @ra:30')
    await stage.event(({ properties }) => (properties.status as { type?: string })?.type === 'retry')
    await stage.snapshot('retrying')
    await stage.abort()
    await stage.idle(1)
    await sleep(500)
    await stage.snapshot('end')
  },
  async unauthorized(stage) {
    await stage.send('@status:401')
    await stage.idle(2)
    await stage.snapshot('end')
  },
  async 'bad-request'(stage) {
    await stage.send('@status:400')
    await stage.idle(2)
    await stage.snapshot('end')
  },
  async malformed(stage) {
    await stage.send('@words:2 @malformed')
    await stage.idle(2)
    await stage.snapshot('end')
  },
  async 'unknown-model'(stage) {
    await stage.send('hello', { model: { providerID: 'acme', modelID: 'bigg' } })
    await stage.idle(1)
    await sleep(1_000)
    await stage.snapshot('end')
  },
  async 'unknown-agent'(stage) {
    await stage.send('hello', { agent: 'nobody' })
    await stage.event(({ type }) => type === 'session.error', 2)
    await stage.snapshot('end')
  },
  async compaction(stage) {
    const model = { providerID: 'globex', modelID: 'tiny' }
    await stage.send(
      '@say: First. @usage:15900,10,0\n@tool bash {"command":"true","description":"nothing"}\n@say: Last.',
      {
        model,
      },
    )
    await stage.idle()
    await stage.snapshot('end')
  },
  async overflow(stage, name) {
    await stage.send('@say: Before.')
    await stage.idle()
    await stage.send('@overflow:1 @say: After all.', { messageID: `msg_fix-${name}` })
    await stage.idle(2)
    await stage.snapshot('end')
  },
  async 'overflow-at-once'(stage) {
    await stage.send('@overflow')
    await stage.idle(1)
    await sleep(1_500)
    await stage.snapshot('end')
  },
  async permission(stage) {
    await stage.send('@tool bash {"command":"cat /etc/hostname","description":"asks"}\n@say: Over.')
    await stage.event(({ type }) => type === 'permission.asked')
    await stage.snapshot('asked')
    await stage.abort()
    await stage.idle(2)
  },
  async killed(stage, name) {
    const text =
      '@say: Kept.\n@tool bash {"command":"true","description":"nothing"}\n@words:3 @hold:killed @words:2'
    await stage.send(text)
    await stage.provider.held('killed')
    await stage.event(({ type }) => type === 'message.part.delta', 4)
    await stage.server.kill()
    await stage.server.restart()
    await stage.listen()
    await stage.snapshot('dead')
    stage.provider.release('killed')
    await stage.send(text, { messageID: `msg_fix-${name}` })
    await stage.idle()
    await stage.snapshot('end')
  },
}

const wanted = process.argv.slice(2)
const provider = await startScriptedProvider()
const server = await startOpenCodeServer({ providerUrl: provider.url })
const authorization = `Basic ${Buffer.from(`${server.username}:${server.password}`).toString('base64')}`

async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { authorization, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}

async function record(name: string): Promise<Recording> {
  const messageID = `msg_fix-${name}`
  const recording: Recording = { messageID, events: [], snapshots: {} }
  const done = new AbortController()
  const permission = name === 'permission' ? [{ permission: 'bash', pattern: '*', action: 'ask' }] : []
  const created = await ask('POST', '/session', { title: name, permission })
  const sessionID = (created as { id: string }).id
  let messages = 0

  async function listen(): Promise<void> {
    const response = await fetch(`${server.url}/event`, { headers: { authorization }, signal: done.signal })
    const connected = Promise.withResolvers<void>()
    const parser = createParser({
      onEvent({ data }) {
        const { type, properties } = JSON.parse(data)
        if (type === 'server.connected') connected.resolve()
        if (JSON.stringify(properties).includes(sessionID) && !IGNORED.has(type))
          recording.events.push({ type, properties })
      },
    })
    const decoder = new TextDecoder()
    void (async () => {
      for await (const chunk of response.body!) parser.feed(decoder.decode(chunk, { stream: true }))
    })().catch(() => undefined)
    await connected.promise
  }

  async function event(matches: (event: Recording['events'][number]) => boolean, times = 1): Promise<void> {
    const deadline = Date.now() + 60_000
    while (recording.events.filter(matches).length < times) {
      if (Date.now() > deadline)
        throw new Error(`${name}: no such event in ${JSON.stringify(recording.events)}`)
      await sleep(20)
    }
  }

  await listen()
  await SITUATIONS[name]!(
    {
      provider,
      server,
      listen,
      event,
      idle: (times) => event(({ type }) => type === 'session.idle', times),
      async send(text, overrides = {}) {
        messages += 1
        // The last message sent is the one that the fixture is about.
        const id = name === 'overflow' && messages === 1 ? 'msg_fix-earlier' : messageID
        await ask('POST', `/session/${sessionID}/prompt_async`, {
          messageID: id,
          model: { providerID: 'acme', modelID: 'mini' },
          agent: 'build',
          parts: [{ id: id.replace('msg_', 'prt_'), type: 'text', text }],
          ...overrides,
        })
      },
      async snapshot(label) {
        const messages = await ask('GET', `/session/${sessionID}/message`)
        recording.snapshots[label] = { afterEvents: recording.events.length, messages }
      },
      async abort() {
        await ask('POST', `/session/${sessionID}/abort`)
      },
    },
    name,
  )
  done.abort()
  return recording
}

/** Nothing in them that tierline reads. */
const IGNORED = new Set(['session.updated', 'session.diff', 'session.created'])

const folder = join(import.meta.dirname, 'fixtures')
mkdirSync(folder, { recursive: true })
for (const name of wanted.length > 0 ? wanted : Object.keys(SITUATIONS)) {
  const recording = await record(name)
  // The temporary directory of this run is nobody's business.
  const text = JSON.stringify(recording, null, 1).replaceAll(server.directory, '/work')
  writeFileSync(join(folder, `${name}.json`), `${text}\n`)
  console.log(`${name}: ${recording.events.length} events`)
}
await server.stop()
await provider.close()
