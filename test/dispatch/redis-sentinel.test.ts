/** Tasks over a real master, its replica and three Sentinels. */
import { randomUUID } from 'node:crypto'
import { describe, expect } from 'vitest'
import { connectRedis } from '../../src/redis/connect.ts'
import { createKeys } from '../../src/redis/keys.ts'
import { test as base } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'
import { noRedisServer } from '../setup/redis-node.ts'
import { type RedisSentinels, startRedisSentinels } from '../setup/redis-sentinel.ts'
import { expectAllEndOnce, readThroughout, submitAndHold } from './failover-tasks.ts'

const test = base.extend<{ redisHA: RedisSentinels }>({
  redisHA: async ({ skip }, use) => {
    const reason = noRedisServer()
    if (reason !== undefined) skip(reason)
    const started = await startRedisSentinels()
    await use(started)
    await started.stop()
  },
})

describe('tasks behind Sentinels', () => {
  test('go on when the master is killed, and each ends once', async ({ core, redisHA }) => {
    const { url, master, replica } = redisHA
    const namespace = `test-${randomUUID()}`
    const orchestrator = await core.startWorking({ redisUrl: url, namespace })
    const running = await submitAndHold(orchestrator, core.backend, 4)
    const heard = await readThroughout(orchestrator, running)
    expect(await master.client.wait(1, 10_000)).toBe(1)

    await master.kill()
    core.backend.holds.release('here')
    const later = await eventually(() => orchestrator.tasks.submit({ prompt: '@say: Later' }))

    await expectAllEndOnce(core, orchestrator, [...running, later.id], heard)
    expect(await replica.client.exists(createKeys(namespace).task(later.id))).toBe(1)
  })

  test('leave the old master when an operator changes it, and go on with the new one', async ({
    core,
    redisHA,
  }) => {
    const { url, master, replica, sentinels } = redisHA
    const namespace = `test-${randomUUID()}`
    const orchestrator = await core.startWorking({ redisUrl: url, namespace })
    const running = await submitAndHold(orchestrator, core.backend, 4)
    const heard = await readThroughout(orchestrator, running)

    // The old master remains one for ten seconds after that, and takes writes which are lost; here for good.
    await master.client.call('ACL', 'SETUSER', 'default', '-slaveof', '-replicaof')
    await sentinels[0]!.client.call('SENTINEL', 'FAILOVER', 'mymaster')
    await eventually(async () => {
      const clients = (await replica.client.client('LIST')) as string
      for (const role of ['producer', 'subscriber', 'worker'])
        expect(clients).toContain(` name=tierline:${role} `)
    })
    core.backend.holds.release('here')
    const later = await eventually(() => orchestrator.tasks.submit({ prompt: '@say: Later' }))

    await expectAllEndOnce(core, orchestrator, [...running, later.id], heard)
  })

  test('do not start where no Sentinel knows the master', async ({ redisHA }) => {
    const url = redisHA.url.replace('mymaster', 'another')

    await expect(
      connectRedis(url, { name: 'test', whenAway: 'fail', patienceMs: 2_000 }),
    ).rejects.toMatchObject({
      code: 'redis_unavailable',
      message: expect.stringContaining('No such master with that name'),
    })
  })
})
