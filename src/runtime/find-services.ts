import type { OpenCodeServer } from '../config/opencode-servers.ts'
import type { Settings } from '../config/settings.ts'
import { TierlineError } from '../errors.ts'
import { readServices } from '../services/services-file.ts'

/**
 * Where Redis and OpenCode are: as the settings say, else those of a running `up` on the data directory.
 *
 * Only `up` starts services (docs/architecture.md "Processes").
 * @throws {TierlineError} `service_not_found` with what to set or start.
 */
export function findServices(
  settings: Pick<Settings, 'redisUrl' | 'openCode' | 'dataDir'>,
  { openCodeGiven }: { openCodeGiven: boolean },
): { redisUrl: string; openCode: readonly OpenCodeServer[] } {
  const running = readServices(settings.dataDir)
  const redisUrl = settings.redisUrl ?? running?.redis.url
  const openCode =
    settings.openCode.length > 0
      ? settings.openCode
      : (running?.opencode ?? []).map((server) => ({ ...server, password: server.password || null }))
  if (redisUrl === undefined) throw notFound('Redis', 'REDIS_URL', settings.dataDir)
  if (openCode.length === 0 && !openCodeGiven) throw notFound('OpenCode', 'OPENCODE_URL', settings.dataDir)
  return { redisUrl, openCode }
}

function notFound(what: string, variable: string, dataDir: string): TierlineError {
  return new TierlineError(
    'service_not_found',
    `Cannot find ${what}: ${variable} is not set and no "tierline up" runs on the data directory "${dataDir}"; set ${variable}, or run "tierline up", which starts what is missing`,
    { errors: [{ field: variable, message: 'must be set where no "tierline up" runs' }] },
  )
}
