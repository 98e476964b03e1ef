/** The whole way, with real processes: `tierline up`, a real Redis, a real OpenCode; only the model is scripted. */
import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient, type TierlineClient } from '../../src/client/index.ts'
import { processesOf } from '../setup/processes.ts'
import {
  createHome,
  type Home,
  runTierline,
  startTierline,
  TEST_CONFIG,
  type TierlineProcess,
} from '../setup/tierline-process.ts'

let home: Home
let up: TierlineProcess
let client: TierlineClient

beforeAll(async () => {
  home = await createHome()
  up = await startTierline(home, ['up'])
  client = createClient({ url: up.ready.url })
}, 120_000)

afterAll(async () => {
  await up?.end('SIGTERM')
  await home?.remove()
}, 60_000)

describe('tierline up', () => {
  test('sends each task to the model of its route, prices it, and gives text as it comes', async () => {
    const lint = await client.enqueue({ type: 'lint', prompt: '#task-lint @usage:1000,50 @say: clean' })
    const analysis = await client.enqueue({
      type: 'analysis',
      prompt: '#task-analysis @usage:1000,50 @say: deep',
    })

    await expect(lint.result()).resolves.toMatchObject({
      state: 'succeeded',
      result: { text: 'clean' },
      costMicroUsd: 120,
    })
    await expect(analysis.result()).resolves.toMatchObject({ state: 'succeeded', costMicroUsd: 6250 })
    expect(modelsPaid('task-lint')).toEqual(['acme/nano'])
    expect(modelsPaid('task-analysis')).toEqual(['acme/big'])
    let text = ''
    for await (const piece of lint.text()) text += piece
    expect(text).toBe('clean')
  })

  test('an override lasts for its one message', async () => {
    const handle = await client.enqueue({
      type: 'lint',
      messages: [
        { text: '#task-first @say: one' },
        { text: '#task-second @say: two', model: 'acme/big' },
        { text: '#task-third @say: three' },
      ],
    })

    const { result } = await handle.result()

    expect(result?.messages.map(({ model, text }) => [model, text])).toEqual([
      ['acme/nano', 'one'],
      ['acme/big', 'two'],
      ['acme/nano', 'three'],
    ])
    expect(['task-first', 'task-second', 'task-third'].flatMap(modelsPaid)).toEqual([
      'acme/nano',
      'acme/big',
      'acme/nano',
    ])
  })

  test('asks the provider for nothing beside the answers: no title', async () => {
    expect(home.provider.ledger.entries({ kind: 'title' })).toEqual([])
  })

  test.each([
    [{ type: 'lnt', prompt: 'x' }, 'unknown_type', 'type', 'lint'],
    [{ tier: 'fats', prompt: 'x' }, 'unknown_tier', 'tier', 'fast'],
    [{ model: 'acme/bigg', prompt: 'x' }, 'unknown_model', 'model', 'acme/big'],
    [{ prompt: 'x', agent: 'biuld' }, 'unknown_agent', 'agent', 'build'],
    [{ prompt: '' }, 'invalid_input', 'prompt', undefined],
    [{ prompt: 'x', directory: 'src' }, 'directory_not_absolute', 'directory', undefined],
    [{ prompt: 'x', directory: '/no/such/directory' }, 'directory_not_found', 'directory', undefined],
    [{ prompt: 'x', escalateTo: 'powerful' }, 'unknown_field', 'escalateTo', undefined],
    [{ prompt: 'x', maxCostUsd: -1 }, 'invalid_input', 'maxCostUsd', undefined],
    [{ prompt: 'x'.repeat(1024 * 1024 + 1) }, 'too_large', 'prompt', undefined],
  ])('refuses %o', async (input, code, field, nearest) => {
    const before = await client.list({ limit: 1 })

    const error = await client.enqueue(input as never).catch((thrown: unknown) => thrown)

    expect(error).toMatchObject({ code, errors: [{ field }] })
    if (nearest) expect((error as { errors: { allowed: string[] }[] }).errors[0]!.allowed[0]).toBe(nearest)
    expect((await client.list({ limit: 1 })).data).toEqual(before.data)
  })

  test('a worker killed with -9 is taken over, and nothing is repeated or paid twice', async () => {
    const handle = await client.enqueue({
      type: 'lint',
      prompt: '#task-kill @say: before @hold:kill @say: after',
    })
    await home.provider.held('kill')
    const [worker] = processesOf(home.dir).filter(({ command }) => command.includes('workers/tasks.ts'))
    process.kill(worker!.pid, 'SIGKILL')
    await expect
      .poll(async () => (await handle.task()).attempt, { timeout: 30_000 })
      .toBeGreaterThanOrEqual(2)
    home.provider.release('kill')

    const { state, result } = await handle.result()

    expect(state).toBe('succeeded')
    expect(modelsPaid('task-kill')).toEqual(['acme/nano'])
    let text = ''
    for await (const piece of handle.text()) text += piece
    expect(text).toBe(result!.text)
  })

  test('a changed table is in force at once, a bad one changes nothing and is reported', async () => {
    const { generation } = await client.routes()
    replace(TEST_CONFIG.replace('lint: fast', 'lint: powerful'))
    await expect.poll(async () => (await client.routes()).generation).toBe(generation + 1)
    const handle = await client.enqueue({ type: 'lint', prompt: '#task-reload @say: ok' })
    await handle.result()
    expect(modelsPaid('task-reload')).toEqual(['acme/big'])
    expect((await handle.task()).route.generation).toBe(generation + 1)

    replace('tiers: [not, a, map]')
    await expect.poll(async () => (await client.ready()).checks.config.error).toContain('tiers')
    expect((await client.routes()).generation).toBe(generation + 1)
    // Tasks are taken and run by the last good table: nobody is to send them elsewhere.
    expect((await fetch(`${up.ready.url}/readyz`)).status).toBe(200)

    replace(TEST_CONFIG)
    await expect.poll(async () => (await client.ready()).checks.config.ok).toBe(true)
  })

  test('tasks of a tier that was renamed are still run, by a worker that never knew it too', async () => {
    const running = await client.enqueue({
      type: 'lint',
      prompt: '#task-renamed @say: begun @hold:renamed @say: ended',
    })
    await home.provider.held('renamed')
    replace(TEST_CONFIG.replaceAll('fast', 'quick'))
    await expect.poll(async () => (await client.routes()).tiers.map(({ tier }) => tier)).toContain('quick')
    const [worker] = processesOf(home.dir).filter(({ command }) => command.includes('workers/tasks.ts'))
    process.kill(worker!.pid, 'SIGKILL')
    home.provider.release('renamed')

    await expect(running.result()).resolves.toMatchObject({ state: 'succeeded' })
    expect(modelsPaid('task-renamed')).toEqual(['acme/nano'])

    replace(TEST_CONFIG)
    await expect.poll(async () => (await client.routes()).tiers.map(({ tier }) => tier)).toContain('fast')
  })

  test('cancels what runs: the session is aborted and the provider is left', async () => {
    const handle = await client.enqueue({
      type: 'lint',
      prompt: '#task-cancel @say: begun @hold:cancel @say: never',
    })
    await home.provider.held('cancel')

    await handle.cancel()

    await expect(handle.result()).resolves.toMatchObject({ state: 'cancelled', error: { code: 'cancelled' } })
    await expect.poll(() => home.provider.ledger.entries({ marker: 'task-cancel' })[0]!.aborted).toBe(true)
  })

  test('a paused tier starts nothing until it is resumed', async () => {
    await client.pauseTier('powerful')
    const handle = await client.enqueue({ type: 'analysis', prompt: '#task-paused @say: at last' })
    const other = await client.enqueue({ type: 'lint', prompt: '@say: meanwhile' })
    await other.result()
    expect((await handle.task()).state).toBe('waiting')

    await client.resumeTier('powerful')

    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded' })
  })

  test('a second one on the same data directory hears of the first at once', async () => {
    const { port } = new URL(up.ready.url)
    const env = { ...home.env, TIERLINE_PORT: port }

    const { code, stderr } = await runTierline({ ...home, env }, ['up'])

    expect(code).not.toBe(0)
    expect(stderr).toContain(
      `is used by process ${up.child.pid} (up of another "tierline up" at ${up.ready.url}); stop that one, or set TIERLINE_DATA_DIR`,
    )
    expect(stderr).not.toContain('TIERLINE_PORT')
  })

  // Last: it ends what the others use.
  test('ends in order and leaves nothing behind', async () => {
    expect(existsSync(join(home.dataDir, 'services.json'))).toBe(true)

    await expect(up.end('SIGTERM')).resolves.toBe(0)

    await expect.poll(() => processesOf(home.dir)).toEqual([])
    expect(existsSync(join(home.dataDir, 'services.json'))).toBe(false)
    expect(existsSync(join(home.dataDir, 'lock'))).toBe(false)
    // The API and the workers follow the same file; what is wrong with it is said once.
    expect(up.chatter().match(/what was in force stays/g)).toHaveLength(1)
  })
})

function modelsPaid(marker: string): string[] {
  return home.provider.ledger.paid({ marker }).map(({ model }) => model)
}

/** As editors do. */
function replace(text: string): void {
  writeFileSync(`${home.configFile}.new`, text)
  renameSync(`${home.configFile}.new`, home.configFile)
}
