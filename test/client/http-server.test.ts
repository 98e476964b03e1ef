/** The client against the server it is made for. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient, type StreamItem, type TierlineClient } from '../../src/client/index.ts'
import { type MemoryServer, startMemoryServer, textDelta } from './memory-server.ts'

let server: MemoryServer
let client: TierlineClient

beforeAll(async () => {
  server = await startMemoryServer({ apiKeys: [{ name: 'test', secret: 's3cret' }] })
  client = createClient({ url: server.url, apiKey: 's3cret' })
})

afterAll(() => server.close())

describe('a handle', () => {
  test('gives the text as it comes, and the result', async () => {
    const handle = await client.enqueue({ type: 'lint', prompt: 'Find dead code' })
    server.ports.push(handle.id, textDelta('hel'))
    const texts: string[] = []
    for await (const text of handle.text()) {
      texts.push(text)
      // The rest only once the first was read: it comes live.
      if (texts.length > 1) continue
      server.ports.push(handle.id, textDelta('lo', { offset: 3 }))
      server.ports.finish(handle.id, 'succeeded', { text: 'hello' })
    }

    expect(texts).toEqual(['hel', 'lo'])
    await expect(handle.result()).resolves.toMatchObject({
      id: handle.id,
      state: 'succeeded',
      result: { text: 'hello' },
      error: null,
      costMicroUsd: 0,
    })
  })

  test('gives all events, and those behind a number', async () => {
    const handle = await client.enqueue({ prompt: 'a' })
    server.ports.finish(handle.id, 'succeeded')

    expect(await typesOf(handle.events())).toEqual(['task-queued', 'task-routed', 'task-finished', 'end'])
    expect(await typesOf(handle.events({ after: 2 }))).toEqual(['task-finished', 'end'])
  })

  test('gives a reset where the log was trimmed', async () => {
    const handle = await client.enqueue({ prompt: 'a' })
    server.ports.trim(handle.id, 2)
    server.ports.finish(handle.id, 'succeeded')

    expect(await typesOf(handle.events())).toEqual(['reset', 'task-finished', 'end'])
  })

  test('gives the children once all are over, with those that came meanwhile', async () => {
    const handle = await client.enqueue({ prompt: 'a' })
    const below = () => client.enqueue({ prompt: 'b', parentTaskID: handle.id })
    const [first, second] = [await below(), await below()]
    server.ports.finish(second.id, 'failed')
    await expect(handle.children({ timeoutMs: 1 })).rejects.toMatchObject({ code: 'not_finished' })

    const children = handle.children()
    const third = await below()
    server.ports.finish(third.id, 'succeeded')
    server.ports.finish(first.id, 'succeeded')

    expect((await children).map(({ id, state }) => [id, state])).toEqual([
      [first.id, 'succeeded'],
      [second.id, 'failed'],
      [third.id, 'succeeded'],
    ])
    expect(await client.list({ parentTaskID: handle.id, state: 'failed' })).toMatchObject({
      data: [{ id: second.id }],
    })
  })

  test('of a comparison gives its table', async () => {
    const handle = await client.compare({ prompt: 'a', models: ['acme/nano', 'acme/big'] })
    server.ports.finish(handle.id, 'succeeded')

    await expect(handle.result()).resolves.toMatchObject({ state: 'succeeded', result: { comparison: null } })
    await expect(client.compare({ prompt: 'a', models: ['acme/nano'] })).rejects.toMatchObject({
      code: 'invalid_input',
      errors: [{ field: 'models' }],
    })
  })

  test('waits for the result of a task that still runs', async () => {
    const handle = await client.enqueue({ prompt: 'a' })
    const result = handle.result()
    const error = { code: 'turn_failed', message: 'Cannot …', retryable: false }
    server.ports.finish(handle.id, 'failed', { error })

    await expect(result).resolves.toMatchObject({ state: 'failed', error })
  })

  test('cancels, and shows the task', async () => {
    const handle = await client.enqueue({ prompt: 'a' })

    await expect(handle.cancel()).resolves.toMatchObject({ state: 'cancelled' })
    await expect(handle.task()).resolves.toMatchObject({ id: handle.id, state: 'cancelled' })
    await expect(handle.result()).resolves.toMatchObject({ state: 'cancelled', error: { code: 'cancelled' } })
  })
})

describe('the client', () => {
  test('enqueues many, each by itself', async () => {
    const results = await client.enqueueMany([{ prompt: 'a' }, { prompt: 'b', tier: 'fats' }])

    expect(results).toMatchObject([
      { status: 'accepted', handle: { id: expect.stringMatching(/^tsk_/) } },
      { status: 'refused', error: { code: 'unknown_tier', errors: [{ field: 'tier', given: 'fats' }] } },
    ])
  })

  test('lists with filters, page by page', async () => {
    const metadata = { run: 'list-test' }
    for (const prompt of ['a', 'b', 'c']) await client.enqueue({ prompt, metadata })

    const first = await client.list({ metadata, state: 'waiting', limit: 2 })
    const second = await client.list({ metadata, limit: 2, cursor: first.nextCursor! })

    expect([first.data.length, second.data.length, second.nextCursor]).toEqual([2, 1, null])
  })

  test('retries and removes', async () => {
    const { id } = await client.enqueue({ prompt: 'a' })
    await expect(client.retry(id)).rejects.toMatchObject({ code: 'not_finished' })
    await expect(client.remove(id)).rejects.toMatchObject({ code: 'not_finished' })
    await client.cancel(id)

    await expect(client.retry(id)).resolves.toMatchObject({ id, state: 'waiting' })
    await client.cancel(id)
    await expect(client.remove(id)).resolves.toBeUndefined()
    await expect(client.get(id)).rejects.toMatchObject({ code: 'task_not_found' })
  })

  test('shows models, routes and why a task goes where', async () => {
    await expect(client.models()).resolves.toContainEqual(expect.objectContaining({ model: 'acme/nano' }))
    await expect(client.routes()).resolves.toMatchObject({ default: 'balanced' })
    await expect(client.explain({ type: 'lint', prompt: 'a' })).resolves.toMatchObject({
      route: { tier: 'fast' },
      problem: null,
    })
    await expect(client.explain({ type: 'lnt', prompt: 'a' })).resolves.toMatchObject({
      route: null,
      problem: { code: 'unknown_type' },
    })
  })

  test('pauses and resumes a tier', async () => {
    await expect(client.pauseTier('fast')).resolves.toMatchObject({ tier: 'fast', paused: true })
    await expect(client.resumeTier('fast')).resolves.toMatchObject({ paused: false })
    await expect(client.pauseTier('fats')).rejects.toMatchObject({ code: 'tier_not_found' })
  })

  test('tells version and health', async () => {
    await expect(client.version()).resolves.toMatchObject({ name: 'tierline', version: '1.2.3' })
    await expect(client.health()).resolves.toBeUndefined()
    await expect(client.ready()).resolves.toMatchObject({ checks: { redis: { ok: true } } })
  })

  test('throws what the server refuses, field by field', async () => {
    await expect(client.enqueue({ prompt: '' })).rejects.toMatchObject({
      code: 'invalid_input',
      errors: [{ field: 'prompt' }],
    })
    await expect(createClient({ url: server.url }).routes()).rejects.toMatchObject({ code: 'unauthorized' })
  })
})

async function typesOf(items: AsyncIterable<StreamItem>): Promise<string[]> {
  const types: string[] = []
  for await (const { type } of items) types.push(type)
  return types
}
