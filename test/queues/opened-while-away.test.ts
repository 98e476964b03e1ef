import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { createTaskQueues } from '../../src/queues/task-queues.ts'
import { connectRedis } from '../../src/redis/connect.ts'
import { createKeys } from '../../src/redis/keys.ts'
import { createTestValkey } from '../redis/test-valkey.ts'
import { eventually } from '../setup/eventually.ts'

const DELIVERY = { queue: 'fast', name: 'task', summary: {}, priority: 0, delayMs: 0 }

test('a queue that is named for the first time while Redis is away takes jobs once it is back', async ({
  onTestFinished,
}) => {
  const valkey = await createTestValkey(tmpdir(), 'always')
  onTestFinished(() => valkey.close())
  await valkey.start()
  const keys = createKeys(undefined)
  const redis = await connectRedis(valkey.url, { name: 'producer', whenAway: 'fail', root: keys.root })
  onTestFinished(() => redis.disconnect())
  const queues = createTaskQueues({ redis, keys })
  await valkey.kill()
  await expect(queues.deliver({ ...DELIVERY, id: 'one' })).rejects.toThrow()

  await valkey.start()
  await eventually(() => queues.deliver({ ...DELIVERY, id: 'two' }))
  expect(await queues.undelivered([{ id: 'two', queue: 'fast' } as never])).toEqual([])
  await queues.close()
})
