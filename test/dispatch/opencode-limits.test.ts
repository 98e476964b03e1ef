/** What only a real OpenCode can show: its own retries, its endless loop, a stream that stops. */
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { createOpenCodeBackend } from '../../src/sessions/opencode/backend.ts'
import type { TaskInput } from '../../src/tasks/input.ts'
import { createMemoryConfig } from '../doubles/memory-config.ts'
import { type ScriptedProvider, startScriptedProvider } from '../provider/server.ts'
import { type CoreFixture, itemsOf, run, test, textsOf, typesOf } from '../setup/core-test.ts'
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

async function startOn(core: CoreFixture, limits: Parameters<typeof createMemoryConfig>[0]) {
  const { url, username, password } = server
  const backend = createOpenCodeBackend({ server: 'local', url, username, password, patienceMs: 90_000 })
  return core.startWorking({ backends: [backend], config: createMemoryConfig(limits) })
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
