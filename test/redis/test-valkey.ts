/** An embedded Valkey that a test may kill, damage and start again at the same place. */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { connectRedis, type RedisClient } from '../../src/redis/connect.ts'
import type { FsyncPolicy } from '../../src/redis/embedded/write-ahead-log.ts'
import { createLogFile } from '../../src/services/log-file.ts'
import { redisService } from '../../src/services/redis-service.ts'
import { type ServiceProcess, startServiceProcess } from '../../src/services/service-process.ts'
import { ValkeyOutput, valkeyDirectory } from '../../src/services/valkey-service.ts'

export interface TestValkey {
  url: string
  /** Where its snapshot and its log are. */
  directory: string
  /** Resolves with what it found. Fails with its last lines. */
  start(): Promise<ValkeyOutput>
  kill(): Promise<void>
  /** As `up` stops it: with a last snapshot. */
  stop(): Promise<void>
  /** When its process has ended, whyever. */
  ended(): Promise<unknown>
  pid(): number
  /** What it printed since its last start. */
  printed(): string
  /** A connection that the fixture closes. */
  connect(): Promise<RedisClient>
}

/** `parent`: where its data directory is made. */
export async function createTestValkey(
  parent: string,
  fsync: FsyncPolicy,
): Promise<TestValkey & { close(): Promise<void> }> {
  const dataDir = mkdtempSync(join(parent, 'tierline-valkey-'))
  const { spec, url } = await redisService({ dataDir, environment: {}, engine: 'embedded', fsync })
  const connections: RedisClient[] = []
  let running: ServiceProcess | undefined
  let log = createLogFile(spec.logFile)
  return {
    url,
    directory: valkeyDirectory(dataDir),
    async start() {
      log.close()
      log = createLogFile(spec.logFile)
      running = await startServiceProcess(spec, log, new AbortController().signal).catch((error: Error) => {
        throw new Error(`${error.message}: ${log.tail(5)}`)
      })
      return ValkeyOutput.parse(running.output)
    },
    async kill() {
      process.kill(running!.pid, 'SIGKILL')
      await running!.exited
    },
    stop: () => running!.end(),
    ended: () => running!.exited,
    pid: () => running!.pid,
    printed: () => log.tail(1_000),
    async connect() {
      const connection = await connectRedis(url, { name: 'test', whenAway: 'wait' })
      connections.push(connection)
      return connection
    },
    async close() {
      for (const connection of connections) connection.disconnect()
      await running?.end()
      log.close()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
