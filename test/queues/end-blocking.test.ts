import { once } from 'node:events'
import { createRedisBackend, type RedisQueueBackend, Worker } from 'bullmq'
import { expect } from 'vitest'
import { endBlocking } from '../../src/queues/end-blocking.ts'
import type { RedisClient } from '../../src/redis/connect.ts'
import { test } from '../setup/redis-test.ts'

test('a worker closes at once while its connection waits for its next try', async ({ redis }) => {
  const connection = await redis.connect()
  let backend!: RedisQueueBackend
  const worker = new Worker(
    'end-blocking',
    async () => {},
    { connection, prefix: redis.keys.queuePrefix },
    (...args) => {
      backend = endBlocking(createRedisBackend(...args))
      return backend
    },
  )
  worker.on('error', () => {})
  await worker.waitUntilReady()
  const blocking = (await backend.blockingClient) as unknown as RedisClient
  await expect.poll(() => connection.client('LIST')).toMatch(/ cmd=bzpopmin /)
  const lost = once(blocking, 'reconnecting')
  blocking.stream.destroy()
  await lost

  await worker.close()

  expect(blocking.status).toBe('end')
})
