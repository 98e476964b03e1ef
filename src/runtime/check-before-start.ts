/** What can be known to fail before anything is started is found out first. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Roots } from '../config/check-directory.ts'
import { allowedRoots, checkExposure } from '../config/check-exposure.ts'
import { checkVerifiers } from '../config/check-verifiers.ts'
import { configError } from '../config/config-problem.ts'
import { absent } from '../config/live-config.ts'
import { loadFile } from '../config/load-file.ts'
import type { Settings } from '../config/settings.ts'
import { TierlineError } from '../errors.ts'
import { checkRedis } from '../redis/check-redis.ts'
import { connectRedis } from '../redis/connect.ts'
import { createKeys } from '../redis/keys.ts'
import { refuseIfLocked } from '../services/data-dir-lock.ts'

/**
 * Gives the directories that tasks may work below; `null`: any that exists.
 *
 * @throws {TierlineError} what `up` would say after it has started everything else.
 */
export async function checkBeforeStart(settings: Settings): Promise<Roots> {
  const roots = await checkConfig(settings)
  if (settings.port !== 0) await checkPort(settings)
  if (settings.redisUrl !== undefined) await checkRedisAt(settings.redisUrl, settings.namespace)
  return roots
}

async function checkConfig(settings: Settings): Promise<Roots> {
  const { path, explicit } = settings.config
  const file = await loadFile(path, 1)
  if (file.status === 'invalid') throw configError(path, file.problems)
  if (file.status === 'valid') {
    checkVerifiers(settings.openCode, file.config)
    checkExposure(settings, file.config)
    return allowedRoots(settings, file.config)
  }
  if (explicit) throw absent(path)
  const none = { directories: { allow: null } }
  checkExposure(settings, none)
  return allowedRoots(settings, none)
}

async function checkPort({ host, port, dataDir }: Settings): Promise<void> {
  const probe = createServer().listen(port, host)
  try {
    await once(probe, 'listening')
  } catch (error) {
    // Most likely it is an "up" of this very directory that listens there.
    refuseIfLocked(dataDir)
    const reason = (error as NodeJS.ErrnoException).code
    throw new TierlineError(
      'service_failed',
      `Cannot listen on ${host}, port ${port}: ${reason === 'EADDRINUSE' ? 'another program does' : reason}; set TIERLINE_PORT, 0 takes any free one`,
      { errors: [{ field: 'TIERLINE_PORT', message: 'must be free', given: port }] },
    )
  }
  probe.close()
  await once(probe, 'close')
}

async function checkRedisAt(url: string, namespace: string | undefined): Promise<void> {
  const { root } = createKeys(namespace)
  const redis = await connectRedis(url, { name: 'tierline:check', whenAway: 'fail', root })
  try {
    await checkRedis(redis)
  } finally {
    redis.disconnect()
  }
}
