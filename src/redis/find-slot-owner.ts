import { Redis, type RedisOptions } from 'ioredis'
import type { RedisNode } from './redis-url.ts'

export interface SlotOwner {
  /** The master that has the slot, by its own word. */
  node: RedisNode
  /** All nodes of the cluster, replicas too: whom to ask the next time. */
  nodes: readonly RedisNode[]
}

/** One node's view of the cluster. */
interface View {
  slot: number
  /** By what it was told; a failover takes a moment to get round. `undefined`: nobody has the slot. */
  owner: (RedisNode & { id: string }) | undefined
  nodes: readonly RedisNode[]
  /** Id of the node that was asked. */
  id: string
  /** It gives the slot away just now, key by key. */
  isMoving: boolean
  isDown: boolean
}

/** A node that is frozen takes connections and says nothing. */
const SILENCE_MS = 1_500

/**
 * Finds the master that has the slot of this hash tag. Asks one node after the other, and in the end the master
 * itself. Two short connections as a rule.
 *
 * @param root as in `Keys`.
 * @throws what the last one that was asked said, or why none will do just now.
 */
export async function findSlotOwner(
  nodes: readonly RedisNode[],
  options: RedisOptions,
  root: string,
): Promise<SlotOwner> {
  let lastError: unknown
  for (const node of nodes) {
    try {
      const hearsay = await ask(node, options, root)
      const { owner, slot } = hearsay
      if (owner === undefined) throw new Error(`no node of the cluster has slot ${slot}`)
      const view = owner.id === hearsay.id ? hearsay : await ask(owner, options, root)
      if (view.owner?.id !== view.id) throw new Error(`slot ${slot} is changing hands`)
      if (view.isDown) throw new Error('the cluster is down')
      if (view.isMoving) throw new Error(`slot ${slot} is being moved to another node`)
      return { node: view === hearsay ? node : owner, nodes: view.nodes }
    } catch (error) {
      lastError = error
    }
  }
  throw lastError
}

async function ask(node: RedisNode, options: RedisOptions, root: string): Promise<View> {
  const redis = new Redis({
    ...options,
    host: node.host,
    port: node.port,
    lazyConnect: true,
    retryStrategy: () => null,
    enableReadyCheck: false,
    disableClientInfo: true,
    connectTimeout: SILENCE_MS,
    commandTimeout: SILENCE_MS,
    connectionName: 'tierline:cluster',
    replyMapping: 'legacy',
  })
  let cause: unknown
  redis.on('error', (error) => {
    cause = error
  })
  try {
    await redis.connect()
    const [slot, ranges, lines, info] = await Promise.all([
      redis.cluster('KEYSLOT', root),
      redis.cluster('SLOTS'),
      redis.cluster('NODES') as Promise<string>,
      redis.cluster('INFO') as Promise<string>,
    ])
    const [, , master] = ranges.find(([from, to]) => from <= slot && slot <= to) ?? []
    const myself = lines.split('\n').find((line) => /^\S+ \S+ \S*myself/.test(line)) ?? ''
    // A node that does not know its own address leaves it out: it is the one that was asked.
    const place = (host: string | null | undefined, port: number) => ({ host: host || node.host, port })
    return {
      slot,
      owner: master && { ...place(master[0], master[1]), id: master[2] },
      nodes: ranges.flatMap(([, , ...nodes]) => nodes.map(([host, port]) => place(host, port))),
      id: myself.split(' ', 1)[0]!,
      isMoving: myself.includes(`[${slot}->-`),
      isDown: /^cluster_state:fail/m.test(info),
    }
  } catch (error) {
    // ioredis says of a refused connection only that it is closed.
    throw cause ?? error
  } finally {
    redis.disconnect()
  }
}
