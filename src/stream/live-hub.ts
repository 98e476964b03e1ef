/**
 * The live path: what is appended to any log reaches its readers in this process over one connection,
 * whatever their number. Pub/sub may lose a message, so a reader checks `seq` and is told to look again.
 */
import { closeConnection } from '../redis/close-connection.ts'
import type { RedisClient } from '../redis/connect.ts'
import { redisUnavailable } from '../redis/redis-unavailable.ts'
import type { TaskEvent } from '../tasks/event.ts'
import { readBatch } from '../tasks/event-batch.ts'

/** New entries of one log, contiguous; or `undefined`: something may have been missed, read the log. */
export type LiveListener = (events: readonly TaskEvent[] | undefined) => void

export interface LiveHub {
  /**
   * Listens to one channel until the returned function is called. One round trip.
   * @throws {TierlineError} `redis_unavailable` when Redis is away now; later it may be away, and comes back.
   */
  listen(channel: string, listener: LiveListener): Promise<() => void>
  /** Plain messages, for the control channel. `undefined`: some may have been missed. */
  listenPlain(channel: string, listener: (message: string | undefined) => void): Promise<() => void>
  close(): Promise<void>
}

type Plain = (message: string | undefined) => void

const SILENCE_MS = 3_000

/** `subscriber` is the hub's own and closed with it. `lookAgainMs` bounds how late a lost message is noticed. */
export function createLiveHub(subscriber: RedisClient, lookAgainMs: number): LiveHub {
  const channels = new Map<string, Set<Plain>>()
  const lookAgain = () => {
    for (const listeners of channels.values()) for (const listener of listeners) listener(undefined)
  }
  // Connected again: what was published before the channels are back is lost. ioredis brings them back
  // by itself, but only the reply to a command of ours says when.
  subscriber.on('ready', () => {
    if (channels.size > 0) subscriber.subscribe(...channels.keys()).then(lookAgain, () => {})
  })
  subscriber.on('message', (channel: string, message: string) => {
    for (const listener of channels.get(channel) ?? []) listener(message)
  })
  const timer = setInterval(lookAgain, lookAgainMs)

  async function listenPlain(channel: string, listener: Plain): Promise<() => void> {
    const present = channels.get(channel)
    const listeners = present ?? new Set()
    listeners.add(listener)
    channels.set(channel, listeners)
    const stop = () => {
      listeners.delete(listener)
      if (listeners.size > 0 || channels.get(channel) !== listeners) return
      channels.delete(channel)
      subscriber.unsubscribe(channel).catch(() => {})
    }
    // Also for a later listener: the first one's SUBSCRIBE may still be on its way.
    try {
      await subscribe(channel)
    } catch (error) {
      stop()
      throw error
    }
    return stop
  }

  // Commands of this connection wait for Redis; whoever listens does not.
  async function subscribe(channel: string): Promise<void> {
    const silence = Promise.withResolvers<never>()
    const timer = setTimeout(() => silence.reject(redisUnavailable(new Error('no answer'))), SILENCE_MS)
    try {
      if (subscriber.status !== 'ready') throw redisUnavailable(new Error('there is no connection'))
      await Promise.race([subscriber.subscribe(channel), silence.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    listenPlain,
    listen: (channel, listener) =>
      listenPlain(channel, (message) => listener(message === undefined ? undefined : readBatch(message))),
    async close() {
      clearInterval(timer)
      channels.clear()
      closeConnection(subscriber)
    },
  }
}
