import { Queue } from 'bullmq'
import { Redis } from 'ioredis'

/** It needs braces on a cluster; here they make the keys as long as tierline's. */
export const BARE_PREFIX = '{bare:bench}:queue'

/** BullMQ as its manual shows it: the baseline. */
export interface BareQueue {
  queue: Queue
  redisUrl: string
  prefix: string
  close(): Promise<void>
}

export async function openBareQueue(redisUrl: string, name: string): Promise<BareQueue> {
  const connection = new Redis(redisUrl, { maxRetriesPerRequest: null })
  const queue = new Queue(name, { connection, prefix: BARE_PREFIX })
  await queue.waitUntilReady()
  return {
    queue,
    redisUrl,
    prefix: BARE_PREFIX,
    async close() {
      await queue.close()
      connection.disconnect()
    },
  }
}
