import type { Redis } from 'ioredis'

/**
 * Sends what one turn of the event loop writes in one piece: at full load a hundred commands for one system
 * call. Order and meaning stay. Unlike ioredis' auto-pipelining it costs nothing per command, and BullMQ's
 * commands travel in the same piece as ours.
 */
export function corkWrites(redis: Redis): void {
  redis.on('connect', () => {
    const socket = redis.stream
    const write = socket.write.bind(socket) as (...args: unknown[]) => boolean
    let isCorked = false
    const uncork = () => {
      isCorked = false
      socket.uncork()
    }
    socket.write = (...args: unknown[]) => {
      if (!isCorked) {
        isCorked = true
        socket.cork()
        // After the promises that are settled now: what they write goes too.
        process.nextTick(uncork)
      }
      return write(...args)
    }
  })
}
