import { Queue } from 'bullmq'
import { Redis } from 'ioredis'

/** BullMQ as its manual shows it: the baseline. */
export interface BareQueue {
  queue: Queue
  redisUrl: string
  prefix: string
  close(): Promise<void>
}

/** `prefix` needs braces on a cluster; here they make its keys as long as tierline's. */
export async function openBareQueue(redisUrl: string, name: string): Promise<BareQueue> {
  const prefix = '{bare:bench}:queue'
  const connection = new Redis(redisUrl, { maxRetriesPerRequest: null })
  const queue = new Queue(name, { connection, prefix })
  await queue.waitUntilReady()
  return {
    queue,
    redisUrl,
    prefix,
    async close() {
      await queue.close()
      connection.disconnect()
    },
  }
}
