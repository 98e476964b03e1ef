/** A TCP proxy between two processes that can fail in every way a network can, and can tell what passes. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'

/** `up`: from the one who opened the connection. */
export type Way = 'up' | 'down'

export interface Link {
  readonly port: number
  /** Cuts what is open. */
  reset(): void
  /** Nothing passes this way until `heal`. */
  block(way: Way): void
  delay(byMs: number): void
  oneByteAtATime(): void
  heal(): void
  /**
   * Calls `act` when a piece in which `pattern` is found comes by for the `nth` time on the way up. `before`: it does not pass; `after`: it
   * does, and the next bytes the other way do not. Nothing else passes on that connection afterwards.
   */
  watch(pattern: RegExp, nth: number, moment: 'before' | 'after', act: () => void): () => void
  close(): Promise<void>
}

interface Trap {
  pattern: RegExp
  left: number
  moment: 'before' | 'after'
  act(): void
}

/** To a server on loopback that may come and go. */
export async function startLink(targetPort: number): Promise<Link> {
  const sockets = new Set<Socket>()
  const blocked = { up: Promise.resolve(), down: Promise.resolve() }
  const unblock: Record<Way, () => void> = { up: () => {}, down: () => {} }
  let isBlocked = false
  let delayMs = 0
  let inSlices = false
  const traps = new Set<Trap>()

  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1')
    const state: { sprung: Trap | undefined; dead: boolean } = { sprung: undefined, dead: false }
    pump(client, upstream, 'up', state)
    pump(upstream, client, 'down', state)
  })

  function pump(
    from: Socket,
    to: Socket,
    way: Way,
    state: { sprung: Trap | undefined; dead: boolean },
  ): void {
    sockets.add(from)
    let waiting = 0
    let last: Promise<void> = Promise.resolve()
    const forward = async (bytes: Buffer): Promise<void> => {
      await blocked[way]
      if (delayMs > 0) await sleep(delayMs)
      if (state.dead || to.destroyed) return
      if (!inSlices) return void to.write(bytes)
      for (let at = 0; at < bytes.length && !to.destroyed; at += 1) {
        to.write(bytes.subarray(at, at + 1))
        await turn()
      }
    }
    from.setNoDelay()
    from.on('data', (bytes: Buffer) => {
      if (way === 'up') spring(bytes, state)
      else if (state.sprung !== undefined && !state.dead) {
        state.dead = true
        state.sprung.act()
      }
      if (state.dead) return
      if (waiting === 0 && !isBlocked && delayMs === 0 && !inSlices) return void to.write(bytes)
      waiting += 1
      from.pause()
      last = last
        .then(() => forward(bytes))
        .then(() => {
          waiting -= 1
          if (waiting === 0) from.resume()
        })
    })
    from.on('error', () => {})
    from.on('close', () => {
      sockets.delete(from)
      to.destroy()
    })
  }

  function spring(bytes: Buffer, state: { sprung: Trap | undefined; dead: boolean }): void {
    if (traps.size === 0) return
    const text = bytes.toString('latin1')
    for (const trap of traps) {
      if (!trap.pattern.test(text)) continue
      trap.left -= 1
      if (trap.left > 0) continue
      traps.delete(trap)
      state.sprung = trap
      if (trap.moment === 'after') return
      state.dead = true
      trap.act()
    }
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const reset = (): void => {
    for (const socket of [...sockets]) {
      // A reset fails while a shutdown is under way, and Node 24 then spins for ever at the exit of the process.
      if (socket.writableEnded) socket.destroy()
      else socket.resetAndDestroy()
    }
  }
  return {
    port: (server.address() as AddressInfo).port,
    reset,
    block(way) {
      const { promise, resolve } = Promise.withResolvers<void>()
      isBlocked = true
      blocked[way] = promise
      unblock[way] = resolve
    },
    delay(byMs) {
      delayMs = byMs
    },
    oneByteAtATime() {
      inSlices = true
    },
    heal() {
      isBlocked = false
      delayMs = 0
      inSlices = false
      unblock.up()
      unblock.down()
    },
    watch(pattern, nth, moment, act) {
      const trap: Trap = { pattern, left: nth, moment, act }
      traps.add(trap)
      return () => traps.delete(trap)
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      reset()
      await closed
    },
  }
}
