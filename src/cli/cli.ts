/** What every command gets. */
import { createClient, type TierlineClient } from '../client/index.ts'
import type { ClientSettings } from '../config/client-settings.ts'
import { findServer } from './find-server.ts'
import type { Terminal } from './terminal.ts'

export interface Cli {
  readonly terminal: Terminal
  readonly settings: ClientSettings
  /** What the process ends with, unless an error decides. */
  exitCode: number
}

/** Flags of every command that asks the server; see `addServerFlags`. */
export interface ServerFlags {
  url?: string
  key?: string
  dataDir?: string
  json?: boolean
}

/** A client of the server that the flags, the environment or a running `up` name. Asks nothing yet. */
export function connect(cli: Cli, flags: ServerFlags): TierlineClient {
  return createClient(findServer(flags, cli.settings))
}

/** `tierline watch ID`, with the flags that lead to the same server. Secrets are not repeated. */
export function commandLine(command: string, flags: ServerFlags): string {
  return `tierline ${command}${flags.url === undefined ? '' : ` --url ${flags.url}`}`
}
