/** The session API before a real OpenCode, spoken to by curl-like requests and by OpenCode's own SDK, both versions. */

import { execFile, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createOpencodeClient } from '@opencode-ai/sdk'
import { createOpencodeClient as createV2Client } from '@opencode-ai/sdk/v2/client'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { createHttpServer, type HttpServer } from '../../src/http/server.ts'
import { createOrchestrator, type Orchestrator } from '../../src/orchestrator.ts'
import { createOpenCodeBackend } from '../../src/sessions/opencode/backend.ts'
import { createMemoryConfig } from '../doubles/memory-config.ts'
import { type ScriptedProvider, startScriptedProvider } from '../provider/server.ts'
import { eventually } from '../setup/eventually.ts'
import { type OpenCodeServer, startOpenCodeServer } from '../setup/opencode-server.ts'
import { refused } from '../setup/refused.ts'

let provider: ScriptedProvider
let openCode: OpenCodeServer
let orchestrator: Orchestrator
let server: HttpServer
let url: string
let directory: string

beforeAll(async () => {
  provider = await startScriptedProvider()
  openCode = await startOpenCodeServer({
    providerUrl: provider.url,
    client: 'cli',
    config: { permission: { '*': 'allow', webfetch: 'ask', question: 'allow' } },
  })
  directory = join(openCode.directory, 'project')
  mkdirSync(directory)
  const { url: opencodeUrl, username, password } = openCode
  orchestrator = await createOrchestrator({
    redisUrl: inject('redisUrl'),
    namespace: `test-${randomUUID()}`,
    backends: [createOpenCodeBackend({ server: 'local', url: opencodeUrl, username, password })],
    config: createMemoryConfig(),
    checkDirectory: async (path) => path,
    checkOwnDirectory: () => null,
    checkFile: async (path) => path,
    checkRepository: async () => {},
    log: { info() {}, warn() {} },
  })
  await orchestrator.startWorker()
  server = createHttpServer({
    host: '127.0.0.1',
    port: 0,
    apiKeys: [],
    allowedHosts: [],
    corsOrigins: [],
    maxBodyBytes: 1024 * 1024,
    board: false,
    version: '1.2.3',
    logger: { warn() {}, error() {} },
    ports: orchestrator,
  })
  ;({ url } = await server.listen())
}, 240_000)

afterAll(async () => {
  await server?.close()
  await orchestrator?.close()
  await openCode?.stop()
  await provider?.close()
}, 60_000)

describe('the three options of anomalyco/opencode#3517', { timeout: 240_000 }, () => {
  test('1: a model for the session, by flat fields', async () => {
    const session = await post(`/session?directory=${encodeURIComponent(directory)}`, {
      title: 'Fast Task',
      providerID: 'acme',
      modelID: 'nano',
    })
    expect(session).toMatchObject({
      title: 'Fast Task',
      directory,
      model: { providerID: 'acme', id: 'nano' },
    })

    const answer = await post(`/session/${session.id}/message`, say('One #task-option-1'))

    expect(answer.info).toMatchObject({ providerID: 'acme', modelID: 'nano', finish: 'stop' })
    expect(modelsOf('task-option-1')).toEqual(['acme/nano'])
  })

  test('2: a model for one message, flat and nested', async () => {
    const { id } = await post('/session', {})

    const flat = await post(
      `/session/${id}/message`,
      say('A #task-option-2', { providerID: 'acme', modelID: 'big' }),
    )
    const model = { providerID: 'globex', modelID: 'fast' }
    const nested = await post(`/session/${id}/message`, say('B #task-option-2', { model }))
    await post(`/session/${id}/message`, say('C #task-option-2'))

    expect([flat.info.modelID, nested.info.modelID]).toEqual(['big', 'fast'])
    // Without any model the routing table decides, whatever OpenCode has made of the overrides.
    expect(modelsOf('task-option-2')).toEqual(['acme/big', 'globex/fast', 'acme/nano'])
  })

  test('3: both; the message after an override goes back to the session’s model', async () => {
    const { id } = await post('/session', { model: { providerID: 'acme', id: 'mini' } })

    for (const more of [{}, { model: 'acme/big' }, {}])
      await post(`/session/${id}/message`, say('Again #task-option-3', more))

    expect(modelsOf('task-option-3')).toEqual(['acme/mini', 'acme/big', 'acme/mini'])
    expect(await get(`/session/${id}`)).toMatchObject({ model: { providerID: 'acme', id: 'mini' } })
    const { id: forked } = await post(`/session/${id}/fork`, {})
    await post(`/session/${forked}/message`, say('Forked #task-option-3'))
    expect(modelsOf('task-option-3').at(-1)).toBe('acme/mini')
  })
})

test.skipIf(!hasJq())('README.md shows lines that work', { timeout: 240_000 }, async () => {
  const section = /## Sessions over HTTP[\s\S]*?```sh\n([\s\S]*?)```/.exec(
    readFileSync('README.md', 'utf8'),
  )![1]!
  const lines = section
    .replaceAll('http://127.0.0.1:4400', url)
    .replaceAll('"anthropic"', '"acme"')
    .replaceAll('claude-haiku-4-5', 'nano')
    .replaceAll('claude-opus-4-8', 'big')

  const { stdout } = await promisify(execFile)('sh', ['-ec', lines], { cwd: directory })

  expect(stdout.trim().split('\n')).toEqual(['nano', 'big', 'nano'])
})

describe('@opencode-ai/sdk', { timeout: 240_000 }, () => {
  test('v1 opens, prompts, lists, aborts and deletes unchanged', async () => {
    const client = createOpencodeClient({ baseUrl: url, directory, throwOnError: true })

    const { data: session } = await client.session.create({ body: { title: 'By the SDK' } })
    const id = session!.id
    const { data: answer } = await client.session.prompt({
      path: { id },
      body: {
        model: { providerID: 'acme', modelID: 'big' },
        parts: [{ type: 'text', text: '@say: Hello v1' }],
      },
    })
    expect(answer!.info).toMatchObject({ providerID: 'acme', modelID: 'big' })
    expect(answer!.parts).toContainEqual(expect.objectContaining({ type: 'text', text: 'Hello v1' }))

    const { data: messages } = await client.session.messages({ path: { id } })
    expect(messages!.map(({ info }) => info.role)).toEqual(['user', 'assistant'])
    const { data: sessions } = await client.session.list()
    expect(sessions!.map((one) => one.id)).toContain(id)
    const { data: providers } = await client.config.providers()
    expect(JSON.stringify(providers)).not.toContain('key-of-')
    expect(providers!.providers.map((one) => one.id)).toContain('acme')

    await client.session.promptAsync({ path: { id }, body: { parts: [{ type: 'text', text: '@hold:v1' }] } })
    await provider.held('v1')
    const { data: status } = await client.session.status()
    expect(status).toMatchObject({ [id]: { type: 'busy' } })
    expect((await client.session.abort({ path: { id } })).data).toBe(true)
    await eventually(async () => expect((await client.session.status()).data).toEqual({}))

    expect((await client.session.delete({ path: { id } })).data).toBe(true)
    await expect(client.session.get({ path: { id } })).rejects.toMatchObject({
      cause: { status: 404, body: { name: 'NotFoundError' } },
    })
  })

  test('v2 follows events, sees what waits, and answers permissions and questions', async () => {
    const client = createV2Client({ baseUrl: url, directory, throwOnError: true })
    const { data: session } = await client.session.create({
      title: 'By the SDK',
      model: { providerID: 'acme', id: 'mini' },
    })
    const sessionID = session!.id
    const heard: { type: string; properties: Record<string, unknown> }[] = []
    const following = new AbortController()
    const { stream } = await client.event.subscribe({}, { signal: following.signal })
    const reading = (async () => {
      for await (const event of stream) heard.push(event as (typeof heard)[number])
    })().catch(() => {})
    await eventually(() => expect(heard[0]).toMatchObject({ type: 'server.connected' }))

    // A question and a permission, each left to the client.
    const question = {
      questions: [{ question: 'Which?', header: 'Pick', options: [{ label: 'A', description: 'a' }] }],
    }
    await client.session.promptAsync({
      sessionID,
      messageID: 'msg_asks',
      parts: [
        {
          type: 'text',
          text: `@tool question ${JSON.stringify(question)}\n@tool webfetch {"url":"http://127.0.0.1:9/","format":"text","timeout":5}\n@say: Done`,
        },
      ],
    })
    await client.session.promptAsync({
      sessionID,
      messageID: 'msg_next',
      parts: [{ type: 'text', text: '@say: Next' }],
    })
    const { data: listed } = await client.session.messages({ sessionID })
    expect(listed!.map(({ info }) => info.id)).toContain('msg_next')

    const asked = await eventually(async () => {
      const { data } = await client.question.list()
      expect(data).toHaveLength(1)
      return data![0]!
    })
    await client.question.reply({ requestID: asked.id, answers: [['A']] })
    const permission = await eventually(async () => {
      const { data } = await client.permission.list()
      expect(data).toHaveLength(1)
      return data![0]!
    })
    await client.permission.reply({ requestID: permission.id, reply: 'reject', message: 'not now' })

    await eventually(async () => {
      const { data } = await client.session.messages({ sessionID })
      const last = data!.at(-1)!
      expect(last.info).toMatchObject({ role: 'assistant', parentID: 'msg_next', modelID: 'mini' })
      expect(last.info.time).toHaveProperty('completed')
    })
    const idles = () =>
      heard.filter(({ type, properties }) => type === 'session.idle' && properties.sessionID === sessionID)
    await eventually(() => expect(idles()).toHaveLength(1))
    const types = heard.map(({ type }) => type)
    for (const type of [
      'session.status',
      'message.updated',
      'message.part.updated',
      'question.asked',
      'permission.asked',
    ])
      expect(types).toContain(type)
    following.abort()
    await reading
  })

  test('children of a session are listed, each with its own model', async () => {
    const client = createV2Client({ baseUrl: url, directory, throwOnError: true })
    const parent = (await client.session.create({ title: 'Parent' })).data!
    const child = (
      await client.session.create({
        title: 'Child',
        parentID: parent.id,
        model: { providerID: 'acme', id: 'big' },
      })
    ).data!

    const { data } = await client.session.children({ sessionID: parent.id })

    expect(data).toMatchObject([
      { id: child.id, parentID: parent.id, model: { providerID: 'acme', id: 'big' } },
    ])
  })
})

test('an OpenCode that is being started again is waited for, and has the session still', {
  timeout: 120_000,
}, async () => {
  const { id } = await post('/session', { model: 'acme/mini' })
  await post(`/session/${id}/message`, say('Before #task-restart'))

  await openCode.kill()
  const asked = [
    post(`/session/${id}/message`, say('After #task-restart')),
    post('/session', {}),
    get('/agent'),
  ]
  await refused(openCode.url)
  await openCode.restart()

  const [answer, session, agents] = await Promise.all(asked)
  expect(session.id).toMatch(/^ses_/)
  expect(agents).toContainEqual(expect.objectContaining({ name: 'build' }))
  expect(answer.info).toMatchObject({ modelID: 'mini', finish: 'stop' })
  expect(modelsOf('task-restart')).toEqual(['acme/mini', 'acme/mini'])
})

// biome-ignore lint/suspicious/noExplicitAny: OpenCode's JSON, of which each test says what it reads
async function post(path: string, body: unknown): Promise<any> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  expect(response.status).toBe(200)
  return response.json()
}

// biome-ignore lint/suspicious/noExplicitAny: as above
async function get(path: string): Promise<any> {
  return (await fetch(url + path)).json()
}

function say(text: string, more: object = {}): object {
  return { ...more, parts: [{ type: 'text', text }] }
}

function modelsOf(marker: string): string[] {
  return provider.ledger.paid({ marker, kind: 'answer' }).map(({ model }) => model)
}

/** The lines use it, and not every machine has it. */
function hasJq(): boolean {
  return spawnSync('jq', ['--version']).status === 0
}
