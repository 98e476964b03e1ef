/** `test` with a cluster that a file of tests shares; skipped, with the reason, where there can be none. */
import { randomUUID } from 'node:crypto'
import { connectRedis, type RedisClient } from '../../src/redis/connect.ts'
import { createKeys, type Keys } from '../../src/redis/keys.ts'
import { test as base } from './core-test.ts'
import { type RedisCluster, startRedisCluster } from './redis-cluster.ts'
import { noRedisServer, type RedisNodeProcess } from './redis-node.ts'

export interface Namespace {
  namespace: string
  keys: Keys
}

interface Clustered {
  sharedCluster: RedisCluster | string
  cluster: RedisCluster
  /** A random namespace that lives on this master. */
  namespaceOn(node: RedisNodeProcess): Promise<Namespace>
  /** A connection that the fixture closes. */
  connect(keys: Keys, whenAway?: 'fail' | 'wait'): Promise<RedisClient>
}

/** `replicas`: of each of the three masters. */
export const clusterTest = (replicas: 0 | 1) =>
  base.extend<Clustered>({
    sharedCluster: [
      async ({}, use) => {
        const reason = noRedisServer()
        if (reason !== undefined) return await use(reason)
        const cluster = await startRedisCluster({ replicas, nodeTimeoutMs: 2_000 })
        await use(cluster)
        await cluster.stop()
      },
      { scope: 'file' },
    ],
    async cluster({ sharedCluster, skip }, use) {
      if (typeof sharedCluster === 'string') skip(sharedCluster)
      await use(sharedCluster as RedisCluster)
    },
    async namespaceOn({ cluster }, use) {
      await use(async (node) => {
        for (;;) {
          const namespace = `test-${randomUUID()}`
          const keys = createKeys(namespace)
          if ((await cluster.ownerOf(keys.root)) === node) return { namespace, keys }
        }
      })
    },
    async connect({ cluster }, use) {
      const connections: RedisClient[] = []
      await use(async ({ root }, whenAway = 'wait') => {
        const connection = await connectRedis(cluster.url, { name: 'test', whenAway, root })
        connections.push(connection)
        return connection
      })
      for (const connection of connections) connection.disconnect()
    },
  })
