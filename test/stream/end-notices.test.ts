import { expect, onTestFinished } from 'vitest'
import { createEndNotices } from '../../src/stream/end-notices.ts'
import { createLiveHub } from '../../src/stream/live-hub.ts'
import { CANCELLED, claimOptions, finished, MAX_DELIVERIES, writeOf } from '../records/records-test.ts'
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

test('an end that was not heard is found by the next look', async ({ records, redis }) => {
  const { ends } = await start(redis, records.store.liveQueues, 50)
  // Nobody's name is in it, so nobody is told.
  const [over, runs] = [await records.create(), await records.create()]
  await ends.expect(over)
  await ends.expect(runs)
  await records.store.cancel(over, 2_000, CANCELLED)

  expect(await ends.ended(over)).toBeUndefined()

  ends.forget(runs)
  expect(await ends.ended(runs)).toBeUndefined()
})

test('nobody waits any more when all is closed, or for what nobody expects', async ({ records, redis }) => {
  const { ends, closed } = await start(redis, records.store.liveQueues)
  const id = await records.create('waiting', { waiter: 'me' })
  await ends.expect(id)
  const waiting = ends.ended(id)
  closed.abort()

  expect(await waiting).toBeUndefined()
  expect(await ends.ended(id)).toBeUndefined()
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
