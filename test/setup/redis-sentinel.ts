/** A master, a replica of it, and Sentinels that watch both, on loopback. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RedisNodeProcess, startRedisNode } from './redis-node.ts'
import { until } from './until.ts'

export interface RedisSentinels {
  url: string
  master: RedisNodeProcess
  replica: RedisNodeProcess
  sentinels: readonly RedisNodeProcess[]
  stop(): Promise<void>
}

const QUORUM = 2
const SENTINELS = 3

export async function startRedisSentinels(): Promise<RedisSentinels> {
  const directory = mkdtempSync(join(tmpdir(), 'tierline-sentinel-'))
  const inMemory = ['--save', '', '--repl-diskless-sync-delay', '0']
  const master = await startRedisNode(directory, inMemory)
  const replica = await startRedisNode(directory, [
    ...inMemory,
    '--replicaof',
    '127.0.0.1',
    String(master.port),
  ])
  const sentinels: RedisNodeProcess[] = []
  for (let i = 0; i < SENTINELS; i += 1) {
    const file = join(directory, `sentinel-${i}.conf`)
    writeFileSync(
      file,
      [
        `sentinel monitor mymaster 127.0.0.1 ${master.port} ${QUORUM}`,
        'sentinel down-after-milliseconds mymaster 2000',
        'sentinel failover-timeout mymaster 10000',
        '',
      ].join('\n'),
    )
    sentinels.push(await startRedisNode(directory, [file, '--sentinel']))
  }
  await until(async () => {
    for (const { client } of sentinels) {
      const facts = (await client.call('SENTINEL', 'MASTER', 'mymaster')) as string[]
      const fact = (name: string) => facts[facts.indexOf(name) + 1]
      if (fact('num-slaves') !== '1' || fact('num-other-sentinels') !== String(SENTINELS - 1))
        throw new Error(facts.join(' '))
    }
    const info = await replica.client.info('replication')
    if (!info.includes('master_link_status:up')) throw new Error(info)
  })
  return {
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/mymaster`,
    master,
    replica,
    sentinels,
    async stop() {
      await Promise.all([...sentinels, replica, master].map((node) => node.stop()))
      rmSync(directory, { recursive: true })
    },
  }
}
