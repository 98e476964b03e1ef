/** The servers that BullMQ is tried on: each is started for one file of tests, or says why it cannot be. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../src/services/free-port.ts'
import { startGuardian } from '../../src/services/guardian.ts'
import {
  findRedisServer,
  type RedisService,
  redisServer,
  redisService,
} from '../../src/services/redis-service.ts'
import { dockerAnswers } from '../setup/docker-answers.ts'

export interface Server {
  url: string
  stop(): Promise<unknown>
}

/** A string is the reason why there is none. */
export type StartServer = () => Promise<Server | string>

export const SERVERS: Readonly<Record<string, StartServer>> = {
  'redis-server of the PATH': startNative,
  'a container': startContainer,
  'the embedded Valkey': startEmbedded,
}

const IMAGE = 'redis:7-alpine'

async function startNative(): Promise<Server | string> {
  const command = await findRedisServer(process.env.PATH)
  if (command === undefined) return 'no redis-server or valkey-server of 6.2 or newer is on the PATH'
  const dataDir = mkdtempSync(join(tmpdir(), 'tierline-test-'))
  mkdirSync(join(dataDir, 'redis'))
  const env = { PATH: process.env.PATH ?? '' }
  return await start(
    dataDir,
    redisServer(command, { dataDir, fsync: 'everysec', port: await freePort(), password: 'test', env }),
  )
}

async function startContainer(): Promise<Server | string> {
  if (!(await dockerAnswers(process.env.DOCKER_HOST))) return 'no Docker daemon answers'
  const { GenericContainer } = await import('testcontainers')
  try {
    const container = await new GenericContainer(IMAGE)
      .withCommand(['redis-server', '--maxmemory-policy', 'noeviction', '--save', ''])
      .withExposedPorts(6379)
      .start()
    const url = `redis://${container.getHost()}:${container.getMappedPort(6379)}`
    return { url, stop: () => container.stop() }
  } catch (error) {
    return `Docker answers but cannot run ${IMAGE}: ${(error as Error).message}`
  }
}

async function startEmbedded(): Promise<Server> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tierline-test-'))
  return await start(dataDir, await redisService({ dataDir, environment: {}, engine: 'embedded' }))
}

async function start(dataDir: string, { spec, url }: RedisService): Promise<Server> {
  const guardian = await startGuardian({ logFile: join(dataDir, 'guardian.log') })
  await guardian.start(spec)
  return {
    url,
    async stop() {
      await guardian.stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
