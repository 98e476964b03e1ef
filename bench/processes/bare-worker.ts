/** A worker of BullMQ alone, which says the answer to each job. */
import { Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { BARE_PREFIX } from '../bare-queue.ts'
import { answerQuestions } from '../bench-process.ts'

interface Start {
  redisUrl: string
  queue: string
  /** Where the answers are published. */
  channel: string
}

let worker: Worker | undefined
let connection: Redis | undefined

async function start({ redisUrl, queue, channel }: Start): Promise<void> {
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: null })
  connection = redis
  const say = async ({ id }: { id?: string }) => {
    await redis.publish(channel, JSON.stringify({ id, text: 'Nothing to complain about.' }))
  }
  worker = new Worker(queue, say, { connection: redis, prefix: BARE_PREFIX, concurrency: 50 })
  await worker.waitUntilReady()
}

const handlers = answerQuestions({ start }, async () => {
  await worker?.close()
  connection?.disconnect()
})
export type BareWorkerHandlers = typeof handlers
