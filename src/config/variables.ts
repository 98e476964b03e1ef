/** The environment variables of tierline, all of them. docs/configuration.md is held to this by a test. */

export interface Variable {
  /** Name of the command line flag that beats it; `null`: there is none. */
  readonly flag: string | null
  /** A secret: never shown, and may come in a file named by NAME_FILE. */
  readonly secret: boolean
  /** As it would be written; `null`: none. */
  readonly default: string | null
}

export const VARIABLES = {
  TIERLINE_HOST: { flag: 'host', secret: false, default: '127.0.0.1' },
  TIERLINE_PORT: { flag: 'port', secret: false, default: '4400' },
  TIERLINE_CONFIG: { flag: 'config', secret: false, default: 'tierline.yaml' },
  TIERLINE_DATA_DIR: { flag: 'dataDir', secret: false, default: '.tierline' },
  TIERLINE_FSYNC: { flag: null, secret: false, default: 'everysec' },
  TIERLINE_API_KEYS: { flag: null, secret: true, default: null },
  TIERLINE_DIRECTORIES: { flag: null, secret: false, default: null },
  TIERLINE_NAMESPACE: { flag: 'namespace', secret: false, default: null },
  REDIS_URL: { flag: 'redisUrl', secret: true, default: null },
  OPENCODE_URL: { flag: 'opencodeUrl', secret: true, default: null },
  OPENCODE_SERVER_USERNAME: { flag: null, secret: false, default: 'opencode' },
  OPENCODE_SERVER_PASSWORD: { flag: null, secret: true, default: null },
  LOG_LEVEL: { flag: 'logLevel', secret: false, default: 'info' },
} as const satisfies Record<string, Variable>

export type VariableName = keyof typeof VARIABLES

type FlagOf<Name extends VariableName> = (typeof VARIABLES)[Name]['flag']

/** Flags of the command line, which beat the environment: `{ port: 0, dataDir: '/var/lib/tierline' }`. */
export type Flags = Partial<Record<Exclude<FlagOf<VariableName>, null>, string | number | undefined>>

export const VARIABLE_NAMES = Object.keys(VARIABLES) as VariableName[]
