import { resolve } from 'node:path'
import type { ClientSettings } from '../config/client-settings.ts'
import { readServices } from '../services/services-file.ts'

const DEFAULT_URL = 'http://127.0.0.1:4400'

export interface Server {
  url: string
  apiKey: string | undefined
}

/** Where the server is: flag, environment, the `up` that runs on the data directory, the default port. */
export function findServer(
  flags: { url?: string | undefined; key?: string | undefined; dataDir?: string | undefined },
  settings: ClientSettings,
): Server {
  const url =
    flags.url ?? settings.url ?? urlOfRunningUp(resolve(flags.dataDir ?? settings.dataDir)) ?? DEFAULT_URL
  return { url, apiKey: flags.key ?? settings.apiKey }
}

function urlOfRunningUp(dataDir: string): string | undefined {
  try {
    return readServices(dataDir)?.api?.url
  } catch {
    // Of another user, or no file at all: then it is not ours to find.
    return undefined
  }
}
