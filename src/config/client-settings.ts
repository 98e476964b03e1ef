/**
 * What a command that only talks to a server needs of the environment.
 *
 * Apart from `readSettings`, so that a mistake in what only a server uses keeps nobody from asking one.
 */
import { resolve } from 'node:path'
import { TierlineError } from '../errors.ts'
import { parseApiKeys } from './api-keys.ts'
import { userDirectory } from './command-name.ts'
import { readVariables } from './read-variables.ts'

export interface ClientSettings {
  /** From `TIERLINE_HOST` and `TIERLINE_PORT`; undefined when neither is given. */
  url: string | undefined
  /** The first secret of `TIERLINE_API_KEYS`. */
  apiKey: string | undefined
  /** Absolute. */
  dataDir: string
  /** What paths on the command line are relative to. Absolute. */
  userDirectory: string
  /** Show the stack of an error. */
  debug: boolean
  /** The terminal can show lines and nothing more: `TERM=dumb`. */
  dumbTerminal: boolean
}

/** @throws {TierlineError} `invalid_config` when the API keys cannot be read. */
export function readClientSettings(env: NodeJS.ProcessEnv = process.env): ClientSettings {
  const variables = readVariables(env, {})
  const [host, port] = [variables.get('TIERLINE_HOST')!, variables.get('TIERLINE_PORT')!]
  const keys = variables.get('TIERLINE_API_KEYS')
  const parsed = keys && parseApiKeys(keys.text, keys.source)
  const errors = [
    ...variables.errors.filter(({ field }) => field.startsWith('TIERLINE_API_KEYS')),
    ...(parsed?.errors ?? []),
  ]
  if (errors.length > 0)
    throw new TierlineError(
      'invalid_config',
      `Cannot read the API key: ${errors[0]!.field} ${errors[0]!.message}`,
      { errors },
    )
  return {
    // Port 0 is any free one: only the running server knows which.
    url: (host.explicit || port.explicit) && port.text !== '0' ? urlOf(host.text, port.text) : undefined,
    apiKey: parsed?.keys[0]?.secret,
    dataDir: resolve(variables.get('TIERLINE_DATA_DIR')!.text),
    userDirectory: userDirectory(env),
    debug: ['debug', 'trace'].includes(variables.get('LOG_LEVEL')!.text.toLowerCase()),
    dumbTerminal: env.TERM === 'dumb',
  }
}

/** A server on all interfaces is reached over loopback. */
function urlOf(host: string, port: string): string {
  if (host === '0.0.0.0') return `http://127.0.0.1:${port}`
  if (host === '::') return `http://[::1]:${port}`
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
