/** Redis away: whoever asks is told at once, and everything goes on when it is back. */
import { describe, expect, onTestFinished } from 'vitest'
import type { Orchestrator } from '../../src/orchestrator.ts'
import { startRedisProxy } from '../redis/redis-proxy.ts'
import { finished, run, test } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

const never = new AbortController().signal

const OPERATIONS: Record<string, (orchestrator: Orchestrator, id: string) => Promise<unknown>> = {
  submit: ({ tasks }) => tasks.submit({ prompt: 'x' }),
  'submit to a queue that was not used before': ({ tasks }) =>
    tasks.submit({ tier: 'powerful', prompt: 'x' }),
  get: ({ tasks }, id) => tasks.get(id),
  list: ({ tasks }) => tasks.list({ limit: 5 }),
  whenFinished: ({ tasks }, id) => tasks.whenFinished(id, 60_000, never),
  events: async ({ tasks }, id) => {
    for await (const _ of tasks.events(id, { after: 0, signal: never }));
  },
  cancel: ({ tasks }, id) => tasks.cancel(id),
  retry: ({ tasks }, id) => tasks.retry(id),
  remove: ({ tasks }, id) => tasks.remove(id),
  promote: ({ tasks }, id) => tasks.promote(id),
  routes: ({ routing }) => routing.routes(),
  pauseTier: ({ routing }) => routing.pauseTier('powerful'),
  resumeTier: ({ routing }) => routing.resumeTier('powerful'),
  'counts of a queue': ({ board }) => board.queues()[1]!.counts(),
  'jobs of a queue': ({ board }) => board.queues()[1]!.jobs(['waiting'], 0, 9),
  'a job': ({ board }, id) => board.queues()[1]!.job(id),
  'logs of a job': ({ board }, id) => board.queues()[1]!.logs(id),
}

describe('every operation', () => {
  test('says redis_unavailable', async ({ core, redis }) => {
    const proxy = await startRedisProxy(redis.url)
    onTestFinished(proxy.stop)
    const orchestrator = await core.start({ redisUrl: proxy.url })
    const { id } = await orchestrator.tasks.submit({ prompt: 'x' })
    await orchestrator.tasks.cancel(id)

    await proxy.goAway()

    for (const [name, operation] of Object.entries(OPERATIONS))
      await expect(operation(orchestrator, id), name).rejects.toMatchObject({
        code: 'redis_unavailable',
        retryable: true,
      })
    expect(await orchestrator.tasks.submitMany([{ prompt: 'x' }])).toMatchObject([
      { status: 503, problem: { code: 'redis_unavailable' } },
    ])
    expect((await orchestrator.health.readiness()).checks.redis).toMatchObject({ ok: false })

    await proxy.comeBack()
    await eventually(() => orchestrator.tasks.get(id))
    expect((await orchestrator.health.readiness()).checks.redis).toMatchObject({ ok: true })
    expect((await orchestrator.tasks.list({ limit: 5 })).data).toHaveLength(1)
  })

  test('says so too when Redis stays silent', async ({ core, redis }) => {
    const proxy = await startRedisProxy(redis.url)
    onTestFinished(proxy.stop)
    const orchestrator = await core.start({ redisUrl: proxy.url })
    const { id } = await orchestrator.tasks.submit({ prompt: 'x' })

    proxy.fallSilent()

    await expect(orchestrator.tasks.get(id)).rejects.toMatchObject({ code: 'redis_unavailable' })
  })
})

describe('a worker', () => {
  test('goes on with what it ran when Redis is back', async ({ core, redis }) => {
    const proxy = await startRedisProxy(redis.url)
    onTestFinished(proxy.stop)
    const worker = await core.startWorking({ redisUrl: proxy.url })
    const { id } = await worker.tasks.submit({ prompt: '@say: Before @hold:here @say: after' })
    await core.backend.holds.held('here')

    await proxy.goAway()
    core.backend.holds.release('here')
    await proxy.comeBack()

    await eventually(async () => expect((await core.records.read(id))!.state).toBe('succeeded'))
    expect((await core.records.read(id))!.done).toMatchObject([{ text: 'Before after' }])
    expect(core.backend.ledger.paid()).toHaveLength(1)
    await eventually(async () =>
      expect(await run(worker, { prompt: 'x' })).toMatchObject({ state: 'succeeded' }),
    )
  })

  test('whoever waits for a task waits on', async ({ core, redis }) => {
    const proxy = await startRedisProxy(redis.url)
    onTestFinished(proxy.stop)
    const producer = await core.start({ redisUrl: proxy.url })
    const { id } = await producer.tasks.submit({ prompt: '@say: Hello' })
    const result = finished(producer, id)
    const seen: string[] = []
    const reading = (async () => {
      for await (const { type } of producer.handle(id).events()) seen.push(type)
    })()
    await eventually(() => expect(seen).toHaveLength(2))

    await proxy.goAway()
    const worker = await core.startWorking()
    await finished(worker, id)
    await proxy.comeBack()

    expect(await result).toMatchObject({ state: 'succeeded' })
    await reading
    expect(seen.at(-1)).toBe('end')
  })
})

test('an orchestrator that cannot start leaves no connection behind', async ({ core, redis }) => {
  const proxy = await startRedisProxy(redis.url)
  onTestFinished(proxy.stop)
  await proxy.goAway()

  await expect(core.start({ redisUrl: proxy.url })).rejects.toMatchObject({ code: 'redis_unavailable' })
})
