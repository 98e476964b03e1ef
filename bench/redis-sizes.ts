/** `npm run redis-sizes`: what tasks of one kilobyte take in Redis, while they wait and when they are over. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createKeys } from '../src/redis/keys.ts'
import { openTierline } from './open-tierline.ts'
import { startRedis } from './start-redis.ts'
import { ROUTING_TABLE, TASK } from './workload.ts'

const COUNT = 20_000
const BATCH = 500
const NAMESPACE = 'sizes'

const directory = mkdtempSync(join(tmpdir(), 'tierline-sizes-'))
const config = join(directory, 'tierline.yaml')
writeFileSync(config, ROUTING_TABLE)
const { url, redis, description, stop } = await startRedis(directory, undefined)
try {
  const tierline = await openTierline({ redisUrl: url, config, directory }, NAMESPACE)
  const bytesNow = async (section: string, field: string): Promise<number> =>
    Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(await redis.info(section))?.[1])
  const usedBytes = () => bytesNow('memory', 'used_memory')
  const diskBytes = () => bytesNow('persistence', 'aof_current_size')
  const empty = { memory: await usedBytes(), disk: await diskBytes() }

  const ids: string[] = []
  while (ids.length < COUNT) {
    const handles = await tierline.enqueueMany(Array(BATCH).fill({ ...TASK, directory }))
    for (const outcome of handles) if (outcome.status === 'accepted') ids.push(outcome.handle.id)
  }
  const waiting = { memory: await usedBytes(), disk: await diskBytes() }

  const worker = await tierline.startWorker()
  const keys = createKeys(NAMESPACE)
  while ((await redis.zcard(keys.finished)) < COUNT) await sleep(50)
  await worker.close()
  const finished = { memory: await usedBytes(), disk: await diskBytes() }
  const [record, log] = await Promise.all(
    // All fields: by default it looks at five, and the prompt is one of them or not.
    [keys.task(ids[0]!), keys.log(ids[0]!)].map((key) => redis.memory('USAGE', key, 'SAMPLES', 0)),
  )

  const each = (to: number, from: number) =>
    `${Math.round((to - from) / COUNT).toLocaleString('en-US')} bytes`
  console.log(
    `${description}, ${COUNT.toLocaleString('en-US')} tasks with a prompt of ${TASK.prompt?.length} bytes, a short answer`,
  )
  console.log(`memory of a task that waits: ${each(waiting.memory, empty.memory)}`)
  console.log(
    `memory of one that is over:  ${each(finished.memory, empty.memory)}, of it record ${record}, log ${log}`,
  )
  console.log(`append-only file, submit:    ${each(waiting.disk, empty.disk)}`)
  console.log(`append-only file, run:       ${each(finished.disk, waiting.disk)}, until it is rewritten`)
  await tierline.close()
} finally {
  await stop()
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
}
