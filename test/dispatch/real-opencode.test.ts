/** What only a real OpenCode can show: its own retries, its endless loop, a stream that stops, sessions that are gone. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { createOpenCodeBackend } from '../../src/sessions/opencode/backend.ts'
import type { TaskInput } from '../../src/tasks/input.ts'
import { createMemoryConfig } from '../doubles/memory-config.ts'
import { type ScriptedProvider, startScriptedProvider } from '../provider/server.ts'
import { type CoreFixture, finished, itemsOf, run, test, textsOf, typesOf } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'
import { type OpenCodeServer, startOpenCodeServer } from '../setup/opencode-server.ts'

let provider: ScriptedProvider
let server: OpenCodeServer

beforeAll(async () => {
  provider = await startScriptedProvider()
  server = await startOpenCodeServer({ providerUrl: provider.url })
}, 120_000)

afterAll(async () => {
  await server?.stop()
  await provider?.close()
}, 60_000)

describe('a real OpenCode', { timeout: 120_000 }, () => {
  test('that would wait an hour for its provider is not waited for: the next model answers', async ({
    core,
  }) => {
    const orchestrator = await startOn(core, { timeoutMs: 110_000 })
    const input = marked('one', { tier: 'fast', prompt: '@say: Done @on:acme/nano @status:429 @ra:3600' })

    const task = await run(orchestrator, input)

    expect(task).toMatchObject({ state: 'succeeded', model: 'acme/mini' })
    expect(requests('one')).toEqual(['acme/nano', 'acme/mini'])
    const items = await itemsOf(orchestrator, task.id)
    expect(textsOf(items)).toEqual(['Done'])
    expect(typesOf(items).indexOf('model-changed')).toBeLessThan(typesOf(items).indexOf('text-delta'))
    expect(await busySessions()).toEqual([])
  })

  test('that asks a model without a finish reason for ever is stopped', async ({ core }) => {
    const orchestrator = await startOn(core, { timeoutMs: 110_000, maxSteps: 5 })

    const task = await run(
      orchestrator,
      marked('two', { model: 'acme/nano', prompt: '@say: Again @nofinish' }),
    )

    expect(task.error).toMatchObject({ code: 'too_many_steps', model: 'acme/nano' })
    expect(await busySessions()).toEqual([])
    expect(requests('two').length).toBeLessThan(10)
  })

  test('whose model falls silent is aborted, and another model asked', async ({ core }) => {
    const orchestrator = await startOn(core, { timeoutMs: 110_000, silenceMs: 15_000 })
    const input = marked('three', { tier: 'fast', prompt: '@say: Start @on:acme/nano @stall' })

    const task = await run(orchestrator, input)

    expect(task).toMatchObject({ state: 'succeeded', model: 'acme/mini', result: { text: 'Start' } })
    expect(requests('three')).toEqual(['acme/nano', 'acme/mini'])
    expect(textsOf(await itemsOf(orchestrator, task.id))).toEqual(['Start'])
  })

  test('whose provider takes no key is left for the next model at once', async ({ core }) => {
    const orchestrator = await startOn(core, { timeoutMs: 110_000 })

    const task = await run(
      orchestrator,
      marked('four', { tier: 'fast', prompt: '@on:acme/nano @status:401' }),
    )

    expect(task).toMatchObject({ state: 'succeeded', model: 'acme/mini' })
    expect(requests('four')).toEqual(['acme/nano', 'acme/mini'])
  })
})

describe('a worker that takes over on a real OpenCode', { timeout: 180_000 }, () => {
  test('in the middle of the second message, in several directories, pays each message once', async ({
    core,
  }) => {
    const directories = ['one', 'two'].map((name) => join(server.directory, name))
    for (const directory of directories) mkdirSync(directory)
    const orchestrator = await core.start(optionsOn({ timeoutMs: 170_000 }))
    const worker = await orchestrator.startWorker()
    const ids = await Promise.all(
      directories.map(async (directory, index) => {
        const second = `#task-many-${index}\n@say: Second @hold:many-${index} @say: and last`
        const messages = [{ text: `#task-many-${index}\n@say: First` }, { text: second }]
        return (await orchestrator.tasks.submit({ tier: 'fast', messages, directory })).id
      }),
    )
    await Promise.all(directories.map((_, index) => provider.held(`many-${index}`)))
    await worker.close()

    await orchestrator.startWorker()
    await eventually(async () => {
      const attempts = (await core.records.readMany(ids)).map((record) => record!.attempt)
      expect(attempts).toEqual([2, 2])
    })
    for (const index of directories.keys()) provider.release(`many-${index}`)

    for (const [index, id] of ids.entries()) {
      const task = await finished(orchestrator, id)
      expect(task.result!.messages.map(({ text }) => text)).toEqual(['First', 'Second and last'])
      expect(task.directory).toBe(directories[index])
      expect(provider.ledger.paid({ marker: `task-many-${index}` })).toHaveLength(2)
      expect(textsOf(await itemsOf(orchestrator, id))).toEqual(['First', 'Second and last'])
    }
  })

  test('of a session that OpenCode no longer has says so, and sends nothing', async ({ core }) => {
    const orchestrator = await core.start(optionsOn({ timeoutMs: 170_000 }))
    const worker = await orchestrator.startWorker()
    const input = marked('lost', { tier: 'fast', prompt: '@say: Some @hold:lost' })
    const { id } = await orchestrator.tasks.submit(input)
    await provider.held('lost')
    await worker.close()
    const { sessionID } = await orchestrator.tasks.get(id)
    const authorization = `Basic ${Buffer.from(`${server.username}:${server.password}`).toString('base64')}`
    await fetch(`${server.url}/session/${sessionID}`, { method: 'DELETE', headers: { authorization } })

    await orchestrator.startWorker()

    expect(await finished(orchestrator, id)).toMatchObject({ error: { code: 'outcome_uncertain' } })
    expect(requests('lost')).toHaveLength(1)
    provider.release('lost')
  })
})

function startOn(core: CoreFixture, limits: Parameters<typeof createMemoryConfig>[0]) {
  return core.startWorking(optionsOn(limits))
}

function optionsOn(limits: Parameters<typeof createMemoryConfig>[0]) {
  const { url, username, password } = server
  const backend = createOpenCodeBackend({ server: 'local', url, username, password, patienceMs: 90_000 })
  return { backends: [backend], config: createMemoryConfig(limits) }
}

function marked(name: string, input: TaskInput): TaskInput {
  return { ...input, prompt: `#task-${name}\n${input.prompt}` }
}

function requests(name: string): string[] {
  return provider.ledger.entries({ marker: `task-${name}` }).map(({ model }) => model)
}

async function busySessions(): Promise<string[]> {
  const authorization = `Basic ${Buffer.from(`${server.username}:${server.password}`).toString('base64')}`
  const answer = await fetch(`${server.url}/session/status`, { headers: { authorization } })
  return Object.keys((await answer.json()) as object)
}
