/** A `redis-server` of the machine as a process of its own, that can be killed, frozen and started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { findOnPath } from '../../src/services/find-on-path.ts'
import { freePort } from '../../src/services/free-port.ts'
import { until } from './until.ts'

export interface RedisNodeProcess {
  port: number
  /** To this node, whatever it is in the cluster; comes back by itself. */
  client: Redis
  signal(signal: NodeJS.Signals): void
  /** `kill -9`; resolves when the process is gone. */
  kill(): Promise<void>
  /** After `kill`, with the data it wrote down. */
  start(): Promise<void>
  stop(): Promise<void>
}

/** Why there can be none on this machine; `undefined`: there can. */
export function noRedisServer(): string | undefined {
  return findOnPath('redis-server', process.env.PATH) ? undefined : 'there is no redis-server on the PATH'
}

/** Starts one below `directory`; resolves when it answers. `args` as on its command line. */
export async function startRedisNode(directory: string, args: readonly string[]): Promise<RedisNodeProcess> {
  const port = await freePort()
  const place = join(directory, String(port))
  mkdirSync(place)
  const log = join(place, 'output.log')
  const [first, ...rest] = args
  // A configuration file, which a Sentinel must have, comes first.
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--dir', place]
  const line = first?.startsWith('--') ? [...options, ...args] : [first!, ...options, ...rest]
  let child: ChildProcess
  const client = new Redis({
    port,
    host: '127.0.0.1',
    lazyConnect: true,
    retryStrategy: () => 50,
    maxRetriesPerRequest: null,
  })
  client.on('error', () => {})
  const onExit = (): void => void child.kill('SIGKILL')
  process.once('exit', onExit)

  async function start(): Promise<void> {
    const output = openSync(log, 'a')
    child = spawn('redis-server', line, { stdio: ['ignore', output, output] })
    await until(async () => {
      if (child.exitCode !== null) throw new Error(readFileSync(log, 'utf8'))
      if (!['wait', 'end'].includes(client.status)) return await client.ping()
      await client.connect()
    })
  }

  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  await start()
  return {
    port,
    client,
    signal: (signal) => void child.kill(signal),
    kill,
    start,
    async stop() {
      client.disconnect()
      await kill()
      process.off('exit', onExit)
    },
  }
}
