import { setImmediate } from 'node:timers/promises'
import { expect, onTestFinished } from 'vitest'
import { connectRedis } from '../../src/redis/connect.ts'
import { createEndNotices } from '../../src/stream/end-notices.ts'
import { createLiveHub } from '../../src/stream/live-hub.ts'
import { CANCELLED, claimOptions, finished, MAX_DELIVERIES, writeOf } from '../records/records-test.ts'
import { startRedisProxy } from '../redis/redis-proxy.ts'
import { eventually } from '../setup/eventually.ts'
import type { RedisFixture } from '../setup/redis-test.ts'
import { test } from './stream-test.ts'

test('the last write of a task is told to the process that waits for it', async ({ records, redis }) => {
  const { ends } = await start(redis, records.store.liveQueues)
  const id = await records.create('waiting', { waiter: 'me' })
  await ends.expect(id)
  const record = await records.claimed(id)

  await records.store.write(writeOf(record, { events: [finished], to: 'succeeded' }))

  expect(await ends.ended(id)).toEqual([finished])
})

test('so is the end of one that is cancelled while it waits, or breaks its workers', async ({
  records,
  redis,
}) => {
  const { ends } = await start(redis, records.store.liveQueues)
  const [cancelled, broken] = [
    await records.create('waiting', { waiter: 'me' }),
    await records.create('waiting', { waiter: 'me' }),
  ]
  await ends.expect(cancelled)
  await ends.expect(broken)

  await records.store.cancel(cancelled, 2_000, CANCELLED)
  for (let count = 0; count <= MAX_DELIVERIES; count += 1) await records.store.claim(broken, claimOptions())

  expect((await ends.ended(cancelled))?.at(-1)).toMatchObject({ type: 'task-finished', state: 'cancelled' })
  expect((await ends.ended(broken))?.at(-1)).toMatchObject({ type: 'task-finished', state: 'failed' })
})

test('an end that was not heard is found by the next look, and no other', async ({ records, redis }) => {
  const { ends } = await start(redis, records.store.liveQueues, 50)
  // Nobody's name is in it, so nobody is told.
  const [over, runs] = [await records.create(), await records.create()]
  await ends.expect(over)
  await ends.expect(runs)
  const running = ends.ended(runs)
  await records.store.cancel(over, 2_000, CANCELLED)

  expect(await ends.ended(over)).toBeUndefined()
  expect(await Promise.race([running, setImmediate('waits')])).toBe('waits')

  ends.forget(runs)
  expect(await running).toBeUndefined()
})

test('what is forgotten is not asked for any more', async ({ records, redis }) => {
  const asked: (readonly string[])[] = []
  const liveTasks = (ids: readonly string[]) => {
    asked.push(ids)
    return records.store.liveQueues(ids)
  }
  const { ends } = await start(redis, liveTasks, 50)
  const [here, gone] = [await records.create(), await records.create()]
  await ends.expect(here)
  await ends.expect(gone)
  await eventually(() => expect(asked).toContainEqual([here, gone]))
  ends.forget(gone)

  await eventually(() => expect(asked.at(-1)).toEqual([here]))
})

test('who expects the first while Redis is away is told so, and listens when it is back', async ({
  records,
  redis,
}) => {
  const proxy = await startRedisProxy(redis.url)
  onTestFinished(proxy.stop)
  const subscriber = await connectRedis(proxy.url, { name: 'subscriber', whenAway: 'wait' })
  const { ends } = await start({ ...redis, connect: async () => subscriber }, records.store.liveQueues)
  const id = await records.create('waiting', { waiter: 'me' })
  await proxy.goAway()
  await eventually(() => expect(subscriber.status).not.toBe('ready'))
  await expect(ends.expect(id)).rejects.toMatchObject({ code: 'redis_unavailable' })
  await proxy.comeBack()
  await eventually(() => ends.expect(id))

  await records.store.cancel(id, 2_000, CANCELLED)

  expect((await ends.ended(id))?.at(-1)).toMatchObject({ state: 'cancelled' })
})

test('nobody waits any more when all is closed, or for what nobody expects', async ({ records, redis }) => {
  const { ends, closed } = await start(redis, records.store.liveQueues)
  const [id, late] = [
    await records.create('waiting', { waiter: 'me' }),
    await records.create('waiting', { waiter: 'me' }),
  ]
  await ends.expect(id)
  const waiting = ends.ended(id)
  closed.abort()
  await ends.expect(late)

  expect(await waiting).toBeUndefined()
  expect(await ends.ended(id)).toBeUndefined()
  expect(await ends.ended(late)).toBeUndefined()
  expect(await ends.ended('tsk_other')).toBeUndefined()
})

async function start(
  { keys, connect }: RedisFixture,
  liveTasks: Parameters<typeof createEndNotices>[0]['liveTasks'],
  lookAgainMs = 60_000,
) {
  const hub = createLiveHub(await connect('wait'), lookAgainMs)
  onTestFinished(hub.close)
  const closed = new AbortController()
  return {
    closed,
    ends: createEndNotices({ hub, channel: keys.ends('me'), liveTasks, closed: closed.signal }),
  }
}
