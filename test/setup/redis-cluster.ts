/** A real Redis Cluster on loopback, its slots spread over all masters. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../src/services/free-port.ts'
import { type RedisNodeProcess, startRedisNode } from './redis-node.ts'
import { until } from './until.ts'

export interface RedisCluster {
  url: string
  nodes: readonly RedisNodeProcess[]
  /** The master that has the slot of this hash tag, as those say that live. */
  ownerOf(root: string): Promise<RedisNodeProcess>
  /** Moves the slot as `redis-cli --cluster reshard` does; `onKey` runs before each key goes. */
  moveSlot(root: string, to: RedisNodeProcess, onKey?: () => Promise<unknown>): Promise<void>
  stop(): Promise<void>
}

const SLOTS = 16_384
const MASTERS = 3

export async function startRedisCluster({
  replicas = 0,
  nodeTimeoutMs = 15_000,
}: {
  /** Of each master. */
  replicas?: 0 | 1
  /** After which silence a node counts as failed. */
  nodeTimeoutMs?: number
} = {}): Promise<RedisCluster> {
  const directory = mkdtempSync(join(tmpdir(), 'tierline-cluster-'))
  const busPorts: number[] = []
  const nodes: RedisNodeProcess[] = []
  for (let i = 0; i < MASTERS * (1 + replicas); i += 1) {
    busPorts.push(await freePort())
    nodes.push(
      await startRedisNode(directory, [
        ...['--cluster-enabled', 'yes', '--cluster-port', String(busPorts[i])],
        ...['--cluster-node-timeout', String(nodeTimeoutMs), '--save', '', '--repl-diskless-sync-delay', '0'],
      ]),
    )
  }
  const masters = nodes.slice(0, MASTERS)
  const idOf = (node: RedisNodeProcess) => node.client.cluster('MYID') as Promise<string>

  for (const [index, { client }] of masters.entries()) {
    const from = Math.floor((index * SLOTS) / MASTERS)
    const to = Math.floor(((index + 1) * SLOTS) / MASTERS) - 1
    await client.call('CLUSTER', 'ADDSLOTSRANGE', from, to)
  }
  for (const [index, { client }] of nodes.entries()) {
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
    await client.call('CLUSTER', 'MEET', '127.0.0.1', nodes[0]!.port, busPorts[0]!)
  }
  await until(async () => {
    for (const { client } of nodes) {
      const info = await client.cluster('INFO')
      if (!info.includes(`cluster_known_nodes:${nodes.length}`)) throw new Error(info)
    }
  })
  for (const [index, replica] of nodes.slice(MASTERS).entries())
    await replica.client.call('CLUSTER', 'REPLICATE', await idOf(masters[index]!))
  await until(async () => {
    for (const { client } of nodes) {
      const info = `${await client.cluster('INFO')}${await client.info('replication')}`
      if (!info.includes('cluster_state:ok') || info.includes('master_link_status:down'))
        throw new Error(info)
    }
  })

  async function ownerOf(root: string): Promise<RedisNodeProcess> {
    for (const node of nodes) {
      if (node.client.status !== 'ready') continue
      const slot = await node.client.cluster('KEYSLOT', root)
      const lines = (await node.client.cluster('NODES')) as string
      const mine = lines.split('\n').find((line) => line.includes('myself')) ?? ''
      const ranges = mine.includes('master') ? mine.split(' ').slice(8) : []
      if (ranges.some((range) => isWithin(slot, range))) return node
    }
    throw new Error(`nobody has the slot of ${root}`)
  }

  async function moveSlot(root: string, to: RedisNodeProcess, onKey = async () => {}): Promise<void> {
    const from = await ownerOf(root)
    const slot = await from.client.cluster('KEYSLOT', root)
    const [fromID, toID] = await Promise.all([idOf(from), idOf(to)])
    await to.client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromID)
    await from.client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toID)
    for (;;) {
      const [key] = (await from.client.call('CLUSTER', 'GETKEYSINSLOT', slot, 1)) as string[]
      if (key === undefined) break
      await onKey()
      await from.client.call('MIGRATE', '127.0.0.1', to.port, key, 0, 5_000, 'REPLACE')
    }
    for (const { client } of [to, from]) await client.call('CLUSTER', 'SETSLOT', slot, 'NODE', toID)
  }

  return {
    url: `redis+cluster://${masters.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    nodes,
    ownerOf,
    moveSlot,
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()))
      rmSync(directory, { recursive: true })
    },
  }
}

/** `5461-10922` or `7000`. */
function isWithin(slot: number, range: string): boolean {
  const [from, to = from] = range.split('-').map(Number)
  return from! <= slot && slot <= to!
}
