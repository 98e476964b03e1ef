import { TierlineError } from '../errors.ts'
import { isLoopback } from './check-exposure.ts'
import type { Config } from './config.ts'

/**
 * Verifiers look at the files that OpenCode changed, so those must be on this machine.
 *
 * @throws {TierlineError} `invalid_config`.
 */
export function checkVerifiers(
  servers: readonly { name: string; url: string }[],
  { verifiers }: Pick<Config, 'verifiers'>,
): void {
  if (verifiers.size === 0) return
  const away = servers.find(({ url }) => !isLoopback(new URL(url).hostname.replace(/^\[|\]$/g, '')))
  if (away === undefined) return
  const message = `cannot be used: the files of the OpenCode server "${away.name}" are on another machine`
  throw new TierlineError('invalid_config', `Cannot start: verifiers ${message}`, {
    errors: [{ field: 'verifiers', message }],
  })
}
