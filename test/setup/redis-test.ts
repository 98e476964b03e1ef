/** `test` with the Redis of this run and a namespace of its own, emptied afterwards. */
import { randomUUID } from 'node:crypto'
import { test as base, inject } from 'vitest'
import { type ConnectOptions, connectRedis, type RedisClient } from '../../src/redis/connect.ts'
import { createKeys, type Keys } from '../../src/redis/keys.ts'

export interface RedisFixture {
  url: string
  namespace: string
  keys: Keys
  /** A connection that the fixture closes. Default `wait`. */
  connect(whenAway?: ConnectOptions['whenAway']): Promise<RedisClient>
}

export const test = base.extend<{ redis: RedisFixture }>({
  redis: async ({}, use) => {
    const url = inject('redisUrl')
    const namespace = `test-${randomUUID()}`
    const keys = createKeys(namespace)
    const connections: RedisClient[] = []
    const connect: RedisFixture['connect'] = async (whenAway = 'wait') => {
      const connection = await connectRedis(url, { name: namespace, whenAway, root: keys.root })
      connections.push(connection)
      return connection
    }

    await use({ url, namespace, keys, connect })

    await removeKeys(await connect(), `${keys.root}*`)
    for (const connection of connections) connection.disconnect()
  },
})

async function removeKeys(redis: RedisClient, pattern: string): Promise<void> {
  for await (const found of redis.scanStream({ match: pattern, count: 1_000 }))
    if (found.length > 0) await redis.unlink(...found)
}
