/** What every command gets. */
import { resolve } from 'node:path'
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

/** A path of the command line, as the process can open it; as it was typed where it works like that. */
export function typedPath({ settings }: Cli, path: string): string {
  return settings.userDirectory === process.cwd() ? path : resolve(settings.userDirectory, path)
}

/** `tierline watch ID` as it is typed here, with the flags that lead to the same server. Secrets are not repeated. */
export function commandLine({ terminal }: Cli, command: string, { url, dataDir }: ServerFlags): string {
  const to = url !== undefined ? ` --url ${url}` : dataDir !== undefined ? ` --data-dir ${dataDir}` : ''
  return `${terminal.command} ${command}${to}`
}
