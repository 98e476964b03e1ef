import { createTierline, type Tierline } from '../src/index.ts'
import { createNoopBackend } from './noop-backend.ts'
import type { Place } from './scenario.ts'

/** The library as a user gets it, but with sessions that do nothing. */
export function openTierline({ redisUrl, config, directory }: Place, namespace: string): Promise<Tierline> {
  return createTierline({
    redisUrl,
    namespace,
    config,
    dataDir: directory,
    backends: [createNoopBackend()],
  })
}
