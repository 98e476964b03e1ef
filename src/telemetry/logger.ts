import { pino } from 'pino'
import type { LogLevel } from '../config/settings.ts'
import { humanLine } from './human-line.ts'
import { createSecretMask } from './mask-secrets.ts'

/** The log as the rest of the code sees it: fields first, then a sentence. An error is the field `err`. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  /** The same log, with these fields in every line. */
  child(fields: object): Logger
}

export interface LoggerOptions {
  level: LogLevel
  /** Masked wherever they turn up: `secretsOf(settings)`. */
  secrets?: readonly string[]
  /** `json`: one object a line. Default: `human` when stderr is a terminal. */
  format?: 'json' | 'human'
  /** Where lines go. Default: stderr, at once, since stdout is for data. */
  write?(line: string): void
}

/** A log in which no secret stands: every finished line is masked, whatever it was made of. */
export function createLogger(options: LoggerOptions): Logger {
  const { level, secrets = [], format = process.stderr.isTTY ? 'human' : 'json' } = options
  const mask = createSecretMask(secrets)
  const write = options.write ?? ((line: string) => void process.stderr.write(line))
  return pino(
    {
      level,
      base: null,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line) => write(format === 'human' ? humanLine(mask(line)) : mask(line)) },
  )
}
