/** What only a real OpenCode can get wrong: cut connections, kills, asks, compaction. One server for all. */
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { SessionBackend, Turn, TurnEvent } from '../../src/sessions/backend.ts'
import { createOpenCodeBackend, type OpenCodeBackendOptions } from '../../src/sessions/opencode/backend.ts'
import type { PermissionRule } from '../../src/tasks/permissions.ts'
import { type ScriptedProvider, startScriptedProvider } from '../provider/server.ts'
import { type OpenCodeServer, startOpenCodeServer } from '../setup/opencode-server.ts'
import { startTcpProxy, type TcpProxy } from '../setup/tcp-proxy.ts'
import { readTurn } from './read-turn.ts'
import { listen, newSession, newTaskID, refOf, run, textsIn, turnOf } from './test-turns.ts'

let provider: ScriptedProvider
let server: OpenCodeServer
let proxy: TcpProxy
let backend: SessionBackend
const backends: SessionBackend[] = []

beforeAll(async () => {
  provider = await startScriptedProvider()
  server = await startOpenCodeServer({ providerUrl: provider.url })
}, 120_000)

beforeEach(async () => {
  proxy = await startTcpProxy(server.url)
  backend = newBackend()
  return async () => {
    await Promise.all(backends.splice(0).map((one) => one.close()))
    await proxy.close()
  }
})

afterAll(async () => {
  await server?.stop()
  await provider?.close()
}, 60_000)

describe('a connection that breaks', () => {
  test('leaves no gap and repeats nothing', async () => {
    const { hold, marker, turn } = await newTurn('@words:3 @hold:NAME @words:3')
    const running = listen(backend, turn)
    await running.heard((events) => textsIn(events) === 3)
    proxy.cut()
    await running.heard((events) => events.some(({ type }) => type === 'part-lagging'))
    provider.release(hold)

    expect(await running.outcome).toMatchObject({ status: 'finished' })
    expect(readTurn(running.events).texts).toEqual(['the1 quick2 brown3 fox4 jumps5 over6'])
    expect(textsIn(running.events)).toBe(4)
    expect(provider.ledger.entries({ marker })).toHaveLength(1)
  })

  test('while nobody can see the end of the turn does not hide it', async () => {
    const { hold, turn } = await newTurn('@words:3 @hold:NAME @words:3')
    const running = listen(backend, turn)
    await running.heard((events) => textsIn(events) === 3)
    proxy.pause()
    provider.release(hold)
    await run(newBackend({ url: server.url }), turn)
    proxy.cut()
    proxy.resume()

    expect(await running.outcome).toMatchObject({ status: 'finished' })
    expect(readTurn(running.events).texts).toEqual(['the1 quick2 brown3 fox4 jumps5 over6'])
  })

  test('for longer than the patience is reported', async () => {
    const impatient = newBackend({ patienceMs: 1_500 })
    const { hold, turn } = await newTurn('@words:1 @hold:NAME')
    const running = listen(impatient, turn)
    await running.heard((events) => textsIn(events) === 1)
    await proxy.close()

    await expect(running.outcome).rejects.toMatchObject({ code: 'opencode_unavailable', retryable: true })
    await expect(newSession(impatient)).rejects.toMatchObject({ code: 'opencode_unavailable' })
    await expect(impatient.check()).rejects.toMatchObject({ code: 'opencode_unavailable' })
    await expect(impatient.catalog(undefined)).rejects.toMatchObject({ code: 'opencode_unavailable' })
    provider.release(hold)
    proxy = await startTcpProxy(server.url)
  })
})

describe('a worker that takes over', () => {
  test('sees nothing of an open part until it ends, then all of it', async () => {
    const { hold, turn } = await newTurn('@reasoning:2 @words:3 @hold:NAME @words:3')
    const first = listen(backend, turn)
    await first.heard((events) => textsIn(events) === 5)
    const second = listen(newBackend(), turn)
    await second.heard((events) => events.some(({ type }) => type === 'part-lagging'))
    provider.release(hold)

    expect(await second.outcome).toEqual(await first.outcome)
    expect(second.events.map(({ type }) => type)).toEqual([
      'part-ended',
      'part-lagging',
      // It hears that the model goes on.
      'alive',
      'part-ended',
      'spent',
      'step',
      'turn-ended',
    ])
    expect(readTurn(second.events)).toEqual(readTurn(first.events))
  })
})

describe('an OpenCode that is killed', { timeout: 180_000 }, () => {
  test('is asked to go on with the turn, and the text is that of the new answer', async () => {
    const call = '@tool bash {"command":"true","description":"nothing"}'
    const { hold, marker, turn } = await newTurn(`@say: Kept.\n${call}\n@words:3 @hold:NAME @words:2`)
    const running = listen(newBackend({ url: server.url }), turn)
    await running.heard((events) => textsIn(events) === 4)
    await server.kill()
    await server.restart()
    await Promise.race([provider.held(hold, 2), running.outcome])
    provider.release(hold)

    expect(await running.outcome).toMatchObject({
      status: 'finished',
      text: 'Kept.\n\nthe1 quick2 brown3 fox4 jumps5',
      steps: 2,
    })
    const types = running.events.map(({ type }) => type)
    expect(types.filter((type) => type === 'turn-resumed')).toHaveLength(1)
    expect(types.indexOf('part-discarded')).toBeLessThan(types.indexOf('turn-resumed'))
    expect(readTurn(running.events).texts).toEqual(['Kept.', 'the1 quick2 brown3 fox4 jumps5'])
    // The first step is not asked again; the second was, since the server had lost it.
    const requests = provider.ledger.entries({ marker })
    expect(requests.map(({ step }) => step)).toEqual([0, 1, 1])
    // Sent twice, and still one prompt.
    expect(new Set(requests.map(({ prompt }) => prompt)).size).toBe(1)
    expect(provider.ledger.paid({ marker })).toHaveLength(2)
  })

  test('while nobody listens is asked to go on by who takes over', async () => {
    const { hold, marker, turn } = await newTurn('@words:2 @hold:NAME @words:2')
    const leaving = new AbortController()
    const first = listen(newBackend({ url: server.url }), turn, leaving.signal)
    await first.heard((events) => textsIn(events) === 2)
    leaving.abort()
    await server.kill()
    await server.restart()
    provider.release(hold)
    const second = await run(newBackend({ url: server.url }), turn)

    expect(second.outcome).toMatchObject({ status: 'finished', text: 'the1 quick2 brown3 fox4' })
    // For the reader of the first, who was shown a part that is no more.
    expect(second.events.slice(0, 2).map(({ type }) => type)).toEqual(['part-lagging', 'part-discarded'])
    expect(provider.ledger.paid({ marker })).toHaveLength(1)
  })
})

describe('an abort', () => {
  test('of a turn that was not sent yet keeps it from being sent', async () => {
    const { marker, turn } = await newTurn('hello')
    proxy.pause()
    proxy.cut()
    const running = listen(newBackend(), turn)
    const aborted = backends.at(-1)!.abort(turn)
    proxy.cut()
    proxy.resume()

    expect(await running.outcome).toMatchObject({ status: 'aborted' })
    await aborted
    expect(await get(`/session/${turn.sessionID}/message`)).toEqual([])
    expect(provider.ledger.entries({ marker })).toEqual([])
  })

  test('while OpenCode waits to try its provider again ends the turn', async () => {
    const { turn } = await newTurn('@status:429 @ra:600')
    const running = listen(backend, turn)
    await running.heard((events) => events.some(({ type }) => type === 'provider-retry'))
    await backend.abort(turn)

    expect(await running.outcome).toMatchObject({ status: 'aborted' })
  })

  test('reaches the children of a session', async () => {
    const child = { description: 'child', prompt: '@hold:NAME', subagent_type: 'general' }
    const { hold, turn } = await newTurn(`@tool task ${JSON.stringify(child)}\n@say: never`)
    const running = listen(backend, turn)
    await provider.held(hold)
    await backend.abort(turn)

    expect(await running.outcome).toMatchObject({ status: 'aborted' })
    await expect
      .poll(() => provider.ledger.entries().findLast(({ prompt }) => prompt.startsWith(`@hold:${hold}`)))
      .toMatchObject({ aborted: true })
  })
})

describe('a session', () => {
  test('is opened with a title, so that none is made at a cost', async () => {
    const { turn } = await newTurn('@say: titled')
    await run(backend, turn)

    expect(await get(`/session/${turn.sessionID}`)).toMatchObject({
      title: expect.stringContaining('conformance'),
      model: { providerID: 'acme', id: 'mini' },
    })
    expect(provider.ledger.entries({ kind: 'title' })).toEqual([])
  })

  test('gets system prompt and files of a message', async () => {
    const file = {
      type: 'file',
      mime: 'text/plain',
      filename: 'note.txt',
      url: 'data:text/plain,inside%20the%20file',
    } as const
    const { marker, turn } = await newTurn('@say: read', { system: 'Speak like a pirate.' })
    await run(backend, { ...turn, parts: [...turn.parts, { ...file, id: `prt_${randomUUID()}` }] })
    const [request] = provider.ledger.entries({ marker })

    expect(request?.prompt).toContain('inside the file')
    expect(request?.system).toContain('Speak like a pirate.')
  })

  test('works in the directory it was opened for', async () => {
    const directory = server.directory.replace(/work$/, '')
    const taskID = newTaskID()
    const request = {
      taskID,
      title: 'elsewhere',
      model: 'acme/mini',
      directory,
      mayExist: false,
      rules: [],
    } as const
    const { sessionID } = await backend.openSession(request, new AbortController().signal)
    const text = '@tool bash {"command":"pwd > where.txt","description":"where"}\n@say: done'
    const { outcome } = await run(backend, turnOf(sessionID, text, { directory }))

    expect(outcome).toMatchObject({ status: 'finished', text: 'done' })
    expect(
      await get(`/file/content?path=where.txt&directory=${encodeURIComponent(directory)}`),
    ).toMatchObject({
      content: expect.stringContaining(directory.replace(/\/$/, '')),
    })
  })

  test('has the denials of its user, where no rule speaks of it', async () => {
    const { directory, open } = await userDirectory({ bash: { '*': 'deny', 'git *': 'allow' } })
    const denied = await runIn(directory, await open([]), BASH)
    const allowed = await runIn(directory, await open([]), BASH.replace('true', 'git --version'))
    const ruled = await runIn(directory, await open([rule('bash', 'allow')]), BASH)

    expect(endOf(denied)).toMatchObject({ status: 'error', title: expect.stringContaining('prevents') })
    expect(endOf(allowed)).toMatchObject({ status: 'completed' })
    expect(endOf(ruled)).toMatchObject({ status: 'completed' })
  })

  test('is asked what its user wants to be asked', async () => {
    const { directory, open } = await userDirectory({ bash: 'ask' })
    const running = listen(backend, turnOf(await open([]), BASH, { directory }))
    const asked = await running.asked()
    await backend.answerAsk({ ...refOf(asked), directory }, { reply: 'once' })

    expect(await running.outcome).toMatchObject({ status: 'finished' })
  })

  test('asks for its children too; what would be asked of a rule is denied to them', async () => {
    writeFileSync(join(server.directory, '.env'), 'SECRET=1')
    const child = {
      description: 'child',
      prompt: `@tool read {"filePath":"${server.directory}/.env"}\n@tool bash {"command":"touch made-by-child","description":"x"}\n@say: Over.`,
      subagent_type: 'general',
    }
    const text = `@tool task ${JSON.stringify(child)}\n@say: End.`
    const sessionID = await newSession(backend, { rules: [rule('bash', 'ask')] })
    const running = listen(backend, turnOf(sessionID, text))
    const asked = await running.asked()

    expect(asked.subject).toMatchObject({ permission: 'read', patterns: [expect.stringContaining('.env')] })
    await backend.answerAsk(refOf(asked), { reply: 'reject', message: 'Not that one.' })
    expect(await running.outcome).toMatchObject({ status: 'finished', text: 'End.' })
    expect(running.events.filter(({ type }) => type === 'asked')).toHaveLength(1)
    expect(existsSync(join(server.directory, 'made-by-child'))).toBe(false)
    const results = provider.ledger.entries().flatMap(({ toolResults }) => toolResults)
    expect(results.filter((result) => result.includes('Not that one.'))).not.toEqual([])
    expect(results.join()).not.toContain('SECRET')
  })

  test('is offered no question', async () => {
    const { turn } = await newTurn(`${QUESTION}\n@say: Decided.`)
    const { events, outcome } = await run(backend, turn)

    expect(outcome).toMatchObject({ status: 'finished', text: 'Decided.' })
    expect(events.filter(({ type }) => type === 'asked')).toEqual([])
  })

  test('asks questions where a rule lets it, and takes any text for an answer', async () => {
    const sessionID = await newSession(backend, { rules: [rule('question', 'ask')] })
    const running = listen(backend, turnOf(sessionID, `${QUESTION}\n@say: Decided.`))
    const asked = await running.asked()

    expect(asked.subject).toEqual({
      kind: 'question',
      permission: null,
      patterns: [],
      questions: [
        { question: 'Which?', header: 'Which', options: [{ label: 'A', description: 'a' }], multiple: false },
      ],
    })
    await backend.answerAsk(refOf(asked), { reply: 'reject', message: 'Nobody knows.' })
    expect(await running.outcome).toMatchObject({ status: 'finished', text: 'Decided.' })
    expect(endOf(running.events)).toMatchObject({ status: 'completed', title: 'Asked 1 question' })
    expect(provider.ledger.entries().at(-1)!.toolResults.join()).toContain('Nobody knows.')
  })

  test('is asked once more by nobody: an ask of a message that was aborted is of no other', async () => {
    const sessionID = await newSession(backend, { rules: [rule('bash', 'ask')] })
    const first = turnOf(sessionID, BASH)
    const aborted = listen(backend, first)
    const { askID } = await aborted.asked()
    await backend.abort(first)
    await aborted.outcome
    const { hold, turn } = await newTurn('@hold:NAME')
    const second = listen(newBackend(), { ...turn, sessionID, openAsks: [askID] })
    await provider.held(hold)
    await second.heard((events) => events.some(({ type }) => type === 'ask-gone'))
    provider.release(hold)

    expect(await second.outcome).toMatchObject({ status: 'finished' })
    expect(second.events.filter(({ type }) => type === 'asked')).toEqual([])
  })

  test('asks what came up while nobody listened', async () => {
    const sessionID = await newSession(backend, { rules: [rule('bash', 'ask')] })
    const turn = turnOf(sessionID, BASH)
    await post(`/session/${sessionID}/prompt_async`, {
      messageID: turn.messageID,
      model: { providerID: 'acme', modelID: 'mini' },
      agent: 'build',
      parts: turn.parts,
    })
    await expect.poll(() => get('/permission')).toContainEqual(expect.objectContaining({ sessionID }))
    const running = listen(newBackend(), turn)
    await backend.answerAsk(refOf(await running.asked()), { reply: 'once' })

    expect(await running.outcome).toMatchObject({ status: 'finished' })
  })

  test('goes on over a compaction: one turn, its summary no part of the answer', async () => {
    const call = '@tool bash {"command":"true","description":"x"}'
    const { marker, turn } = await newTurn(`@say: First. @usage:15900,10,0\n${call}\n@say: Last.`, {
      model: 'globex/tiny',
    })
    const { events, outcome } = await run(backend, turn)

    expect(outcome).toMatchObject({ status: 'finished', steps: 3 })
    expect(readTurn(events).texts.join('\n\n')).toBe((outcome as { text: string }).text)
    expect(provider.ledger.entries({ marker }).map(({ kind }) => kind)).toContain('summary')
    expect(readTurn(events).texts.join()).not.toContain('Summary')
  })
})

describe('a server that refuses', () => {
  test('is reported at once, without the password', async () => {
    const stranger = newBackend({ password: 'wrong-password' })
    const refused = await newSession(stranger).catch((error: unknown) => error)

    expect(refused).toMatchObject({ code: 'opencode_unavailable', message: expect.stringContaining('401') })
    expect(String(refused)).not.toContain('wrong-password')
    await expect(stranger.check()).rejects.toMatchObject({ code: 'opencode_unavailable' })
  })
})

const BASH = '@tool bash {"command":"true","description":"x"}\n@say: Over.'

function rule(permission: string, action: PermissionRule['action']): PermissionRule {
  return { permission, pattern: '*', action }
}

/** A directory whose user has an `opencode.json` with these permissions. */
async function userDirectory(permission: object) {
  const directory = mkdtempSync(join(server.directory, 'user-'))
  writeFileSync(join(directory, 'opencode.json'), JSON.stringify({ permission }))
  const open = (rules: readonly PermissionRule[]) => newSession(backend, { directory, rules })
  return { directory, open }
}

async function runIn(directory: string, sessionID: string, text: string): Promise<readonly TurnEvent[]> {
  return (await run(backend, turnOf(sessionID, text, { directory }))).events
}

function endOf(events: readonly TurnEvent[]): TurnEvent | undefined {
  return events.find(({ type }) => type === 'tool-finished')
}

const QUESTION = `@tool question ${JSON.stringify({
  questions: [{ question: 'Which?', header: 'Which', options: [{ label: 'A', description: 'a' }] }],
})}`

function newBackend(overrides: Partial<OpenCodeBackendOptions> = {}): SessionBackend {
  const { username, password } = server
  const made = createOpenCodeBackend({
    server: 'local',
    url: proxy.url,
    username,
    password,
    // A killed server takes a while to come back where others compile.
    patienceMs: 90_000,
    ...overrides,
  })
  backends.push(made)
  return made
}

/** In a new session; `NAME` in the prompt becomes a hold of this turn alone. */
async function newTurn(prompt: string, overrides: Partial<Turn> = {}) {
  const hold = `hold-${randomUUID()}`
  const marker = `task-${randomUUID()}`
  const text = `#${marker}\n${prompt.replace('NAME', hold)}`
  return { hold, marker, turn: turnOf(await newSession(backend), text, overrides) }
}

async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
  const authorization = `Basic ${Buffer.from(`${server.username}:${server.password}`).toString('base64')}`
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { authorization, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  expect(response.ok, `${method} ${path}: ${text}`).toBe(true)
  return text === '' ? undefined : JSON.parse(text)
}

const get = (path: string): Promise<unknown> => ask('GET', path)
const post = (path: string, body: unknown): Promise<unknown> => ask('POST', path, body)
