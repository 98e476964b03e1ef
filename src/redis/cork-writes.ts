import type { Redis } from 'ioredis'

/** What Redis reads at once: it shall begin while the rest is still being written. */
const PIECE = 16 * 1024

/**
 * Sends what one turn of the event loop writes in pieces of 16 kB: at full load a dozen commands for one
 * system call. Order and meaning stay. Unlike ioredis' auto-pipelining it costs nothing per command, and
 * BullMQ's commands travel in the same piece as ours.
 */
export function corkWrites(redis: Redis): void {
  redis.on('connect', () => {
    const socket = redis.stream
    const write = socket.write.bind(socket) as (...args: unknown[]) => boolean
    let held = 0
    let isScheduled = false
    const flush = () => {
      held = 0
      socket.uncork()
    }
    const onTurnEnd = () => {
      isScheduled = false
      if (held > 0) flush()
    }
    socket.write = (...args: unknown[]) => {
      if (held === 0) socket.cork()
      if (!isScheduled) {
        isScheduled = true
        setImmediate(onTurnEnd)
      }
      const [chunk] = args as [string | Uint8Array]
      const isDrained = write(...args)
      held += Math.max(1, chunk.length)
      if (held >= PIECE) flush()
      return isDrained
    }
  })
}
