import { channel } from 'node:diagnostics_channel'
import { Worker } from 'bullmq'
import { describe, expect } from 'vitest'
import { claimingScript } from '../../src/queues/claiming-backend.ts'
import { createMemoryConfig } from '../doubles/memory-config.ts'
import { finished, run, test } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

describe('the scripts of BullMQ that ours surround', () => {
  test('are there, and begin with the keys that deliver.lua counts on', () => {
    expect(claimingScript('moveToActive')).toMatch(
      /KEYS\[1\] wait key[\s\S]+KEYS\[2\] active key[\s\S]+KEYS\[3\] prioritized key\s+KEYS\[4\] stream events key[\s\S]+KEYS\[7\] delayed key[\s\S]+KEYS\[9\] meta key/,
    )
    expect(claimingScript('moveToActive')).toMatch(/KEYS\[11\] marker key\s+-- Arguments/)
    expect(claimingScript('moveToFinished')).toMatch(
      /KEYS\[1\] wait key[\s\S]+KEYS\[2\] active key[\s\S]+KEYS\[3\] prioritized key\s+KEYS\[4\] event stream key[\s\S]+KEYS\[7\] delayed key[\s\S]+KEYS\[9\] meta key/,
    )
    expect(claimingScript('moveToFinished')).toMatch(/KEYS\[14\] marker key\s+ARGV\[1\]/)
  })

  test('call Redis through what we give them', () => {
    for (const script of ['moveToActive', 'moveToFinished'] as const)
      expect(claimingScript(script)).toMatch(
        /^local function deliver\(redis, KEYS, ARGV\)\n[\s\S]+?\nlocal rcall = redis\.call\n/,
      )
  })
})

test('nothing of what a worker does with jobs is told in the events of BullMQ', async ({
  core,
  redis: { keys },
}) => {
  const orchestrator = await core.startWorking()
  await run(orchestrator, { prompt: 'Hello', tier: 'fast' })

  const entries = await core.redis.xrange(`${keys.queuePrefix}:fast:events`, '-', '+')
  expect(entries.map(([, fields]) => fields[1])).not.toContain('active')
  expect(entries.map(([, fields]) => fields[1])).not.toContain('completed')
})

describe('a task and its job', () => {
  test.for([
    ['succeeded', 'returnvalue', '@say: Hello'],
    ['failed', 'failedReason', '@status:401'],
  ] as const)('are over in the same step when it has %s', async ([state, moved, text], { core }) => {
    const orchestrator = await core.startWorking()
    const messages = [{ text: '@hold:here' }, { text }]
    const { id } = await orchestrator.tasks.submit({ messages, tier: 'fast' })
    await core.backend.holds.held('here')
    const sent: string[] = []
    const started = channel('tracing:ioredis:command:start')
    const onCommand = (command: unknown) => void sent.push(JSON.stringify(command))
    started.subscribe(onCommand)

    core.backend.holds.release('here')

    expect(await finished(orchestrator, id)).toMatchObject({ state })
    started.unsubscribe(onCommand)
    const writes = sent.filter((command) => command.includes(id) && command.includes('task-finished'))
    expect(writes).toHaveLength(1)
    expect(writes[0]).toContain(moved)
  })

  test('a job is moved as any other when its task took no write', async ({ core, redis: { keys } }) => {
    const orchestrator = await core.startWorking()
    const { id } = await orchestrator.tasks.submit({ prompt: '@hold:here', tier: 'fast' })
    await core.backend.holds.held('here')
    // As another worker would that takes it over.
    await core.redis.hincrby(keys.task(id), 'fence', 1)

    core.backend.holds.release('here')

    const job = `${keys.queuePrefix}:fast:${id}`
    await eventually(async () =>
      expect(await core.redis.hget(job, 'returnvalue')).toBe('"stale: taken over"'),
    )
    expect(await orchestrator.tasks.get(id)).toMatchObject({ state: 'running' })
  })
})

test('each task is claimed with its own input, though others of the same ask are no more', async ({
  core,
  redis: { keys },
}) => {
  const submitting = await core.start()
  const prompts = ['one', 'two', 'three', 'four', 'five']
  const ids: string[] = []
  for (const prompt of prompts)
    ids.push((await submitting.tasks.submit({ prompt: `@say: ${prompt}`, tier: 'fast' })).id)
  const jobs = ids.map((id) => core.redis.exists(`${keys.queuePrefix}:fast:${id}`))
  expect(await Promise.all(jobs)).toEqual([1, 1, 1, 1, 1])
  await core.redis.del(keys.task(ids[0]!), keys.task(ids[2]!))

  const orchestrator = await core.startWorking()

  for (const index of [1, 3, 4]) {
    const result = { text: prompts[index] }
    expect(await finished(orchestrator, ids[index]!)).toMatchObject({ state: 'succeeded', result })
  }
})

test('finished jobs beyond those to keep go, a hundred at a time', async ({ core, redis: { keys } }) => {
  const config = createMemoryConfig({ maxFinishedTasks: 3 })
  const orchestrator = await core.startWorking({ config })
  for (let done = 0; done < 101; done += 1) await run(orchestrator, { prompt: 'Hello', tier: 'fast' })

  await eventually(async () =>
    expect(await core.redis.zcard(`${keys.queuePrefix}:fast:completed`)).toBeLessThan(10),
  )
})

test('what our main loop stands on is there', () => {
  const loop = ['mainLoop', '_getNextJob', 'retryIfFailed', 'isRateLimited', 'waitForRateLimit', 'processJob']
  expect(loop.filter((method) => !(method in Worker.prototype))).toEqual([])
})

describe('a queue that is empty again', () => {
  test('has no marker that would let workers come for nothing', async ({ core, redis: { keys } }) => {
    const orchestrator = await core.startWorking()
    await run(orchestrator, { prompt: 'Hello', tier: 'fast' })

    const marker = `${keys.queuePrefix}:fast:marker`
    await eventually(async () => expect(await core.redis.exists(marker)).toBe(0))

    // And is heard of again.
    expect(await run(orchestrator, { prompt: 'Again', tier: 'fast' })).toMatchObject({ state: 'succeeded' })
  })

  test('is left for the time of a task that was put off', async ({ core }) => {
    const orchestrator = await core.startWorking()
    const later = await orchestrator.tasks.submit({ prompt: 'Later', tier: 'fast', delayMs: 300 })
    await run(orchestrator, { prompt: 'Now', tier: 'fast' })

    expect(await finished(orchestrator, later.id)).toMatchObject({ state: 'succeeded' })
  })
})

test('jobs that come while a tier is full are taken when it is not any more', async ({ core }) => {
  const orchestrator = await core.startWorking({ workerConcurrency: 1 })
  const first = await orchestrator.tasks.submit({ prompt: '@hold:here', tier: 'fast' })
  await core.backend.holds.held('here')
  const rest = await Promise.all(
    Array.from({ length: 5 }, () => orchestrator.tasks.submit({ prompt: 'Hello', tier: 'fast' })),
  )
  core.backend.holds.release('here')

  for (const { id } of [first, ...rest])
    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded', attempt: 1 })
})
