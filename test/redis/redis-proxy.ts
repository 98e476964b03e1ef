import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { TestRunner } from 'vitest'

export interface RedisProxy {
  /** The URL of the Redis behind, with the address of the proxy. */
  url: string
  /** Cuts all connections and refuses new ones. */
  goAway(): Promise<void>
  comeBack(): Promise<void>
  /** Holds back what either side sends, without closing anything, from now on. */
  fallSilent(): void
  stop(): Promise<void>
}

/**
 * A network between a client and a Redis that can fail in different ways. `at`: a port, or the path of a socket. With
 * several nodes there is no one place to stand at, so the test is skipped.
 */
export async function startRedisProxy(redisUrl: string, at: number | string = 0): Promise<RedisProxy> {
  if (/^\w+\+/.test(redisUrl)) TestRunner.getCurrentTest()?.context.skip('a proxy needs one address of Redis')
  const target = new URL(redisUrl)
  const sockets = new Set<Socket>()
  let silent = false
  const server = createServer((client) => {
    const redis = connect(Number(target.port || 6379), target.hostname)
    for (const [from, to] of [
      [client, redis],
      [redis, client],
    ] as const) {
      sockets.add(from)
      from.on('data', (bytes) => !silent && to.write(bytes))
      from.on('error', () => {})
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
  })
  const listen = async (where: number | string): Promise<void> => {
    if (typeof where === 'string') server.listen(where)
    else server.listen(where, '127.0.0.1')
    await once(server, 'listening')
  }
  await listen(at)
  const address = server.address() as AddressInfo | string
  const goAway = async (): Promise<void> => {
    if (!server.listening) return
    server.close()
    for (const socket of sockets) socket.destroy()
    await once(server, 'close')
  }
  const url = new URL(redisUrl)
  if (typeof address !== 'string') url.host = `127.0.0.1:${address.port}`
  return {
    url: typeof address === 'string' ? `unix://:${target.password}@${address}` : url.href,
    goAway,
    async comeBack() {
      silent = false
      await listen(typeof address === 'string' ? address : address.port)
    },
    fallSilent() {
      silent = true
    },
    stop: goAway,
  }
}
