import { isIPv4 } from 'node:net'
import { TierlineError } from '../errors.ts'
import type { Config } from './config.ts'
import type { Settings } from './settings.ts'

/** The directories tasks may work below: environment before file; `null`: any that exists. */
export function allowedRoots(
  settings: Pick<Settings, 'directories'>,
  config: Pick<Config, 'directories'>,
): readonly string[] | null {
  return settings.directories ?? config.directories.allow
}

/**
 * Closed by default: who listens beyond this machine has keys, who has keys says which directories.
 *
 * @throws {TierlineError} `invalid_config`, naming the variable that is missing.
 */
export function checkExposure(
  settings: Pick<Settings, 'host' | 'apiKeys' | 'directories'>,
  config: Pick<Config, 'directories'>,
): void {
  const { host, apiKeys } = settings
  if (apiKeys.length === 0 && !isLoopback(host))
    throw refusal(
      'TIERLINE_API_KEYS',
      `Cannot listen on "${host}": others than this machine may reach it, so TIERLINE_API_KEYS=name:secret must be set, or TIERLINE_HOST be 127.0.0.1`,
      'must be set to listen beyond this machine',
    )
  if (apiKeys.length > 0 && allowedRoots(settings, config) === null)
    throw refusal(
      'TIERLINE_DIRECTORIES',
      'Cannot accept API keys: the directories their tasks may work in are not set; set TIERLINE_DIRECTORIES, or directories.allow in the file',
      'must be set when there are API keys',
    )
}

/** True when only this machine can reach it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

function refusal(field: string, message: string, short: string): TierlineError {
  return new TierlineError('invalid_config', message, { errors: [{ field, message: short }] })
}
