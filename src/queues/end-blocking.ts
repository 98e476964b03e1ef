import { once } from 'node:events'
import type { RedisQueueBackend } from 'bullmq'
import { closeConnection } from '../redis/close-connection.ts'
import type { RedisClient } from '../redis/connect.ts'

/**
 * For a worker that is only ever closed. BullMQ waits for the end of its blocking connection, and ioredis never ends
 * one that waits for its next try: the worker would close for ever (taskforcesh/bullmq#4656).
 */
export function endBlocking(backend: RedisQueueBackend): RedisQueueBackend {
  const disconnect = backend.disconnectBlocking.bind(backend)
  backend.disconnectBlocking = async (wait) => {
    const client = (await backend.blockingClient) as unknown as RedisClient | undefined
    if (client?.status !== 'reconnecting') return disconnect(wait)
    const ended = once(client, 'end')
    closeConnection(client)
    await ended
  }
  return backend
}
