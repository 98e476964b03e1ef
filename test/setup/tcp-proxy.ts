/** A TCP proxy that breaks on demand, to stand between a client and a real server. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface TcpProxy {
  /** `http://127.0.0.1:PORT` of the proxy. */
  readonly url: string
  /** Connections that are open now. */
  readonly connections: number
  /** Cuts every open connection; new ones are let through. */
  cut(): void
  /** From now on nothing passes, on old connections and new ones, until `resume`. */
  pause(): void
  resume(): void
  close(): Promise<void>
}

/** @param target `http://127.0.0.1:PORT` of the server. */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target)
  const pairs = new Set<readonly [Socket, Socket]>()
  let isPaused = false

  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    const pair = [client, upstream] as const
    pairs.add(pair)
    const end = (): void => {
      client.destroy()
      upstream.destroy()
      pairs.delete(pair)
    }
    for (const socket of pair) socket.on('error', end).on('close', end)
    client.pipe(upstream).pipe(client)
    if (isPaused) for (const socket of pair) socket.pause()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')

  function cut(): void {
    for (const [client] of [...pairs]) client.destroy()
  }

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get connections() {
      return pairs.size
    },
    cut,
    pause() {
      isPaused = true
      for (const socket of [...pairs].flat()) socket.pause()
    },
    resume() {
      isPaused = false
      for (const socket of [...pairs].flat()) socket.resume()
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      cut()
      await closed
    },
  }
}
