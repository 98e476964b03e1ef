import { randomUUID } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { identifyProcess, isAlive, ProcessIdentity } from './process-identity.ts'
import { withRoom } from './with-room.ts'

const OpenCodeServer = z.strictObject({
  /** Stable name, the one a checkpoint holds: `local`. */
  name: z.string().min(1),
  url: z.url(),
  username: z.string(),
  password: z.string(),
  /** Where its tap listens (`opencode-tap.ts`). */
  tapUrl: z.url().optional(),
})

/** Where the services of a running `up` are found. Holds passwords. */
export const Services = z.strictObject({
  api: z.strictObject({ url: z.url() }).optional(),
  redis: z.strictObject({ url: z.string() }),
  opencode: z.array(OpenCodeServer),
})

export type Services = z.infer<typeof Services>
export type OpenCodeServer = z.infer<typeof OpenCodeServer>

const File = z.strictObject({
  version: z.literal(1),
  /** The `up` whose services these are. */
  up: ProcessIdentity,
  ...Services.shape,
})

/**
 * Tells other processes of this data directory about them, readable by the owner only. Replaces what was there.
 *
 * @throws {TierlineError} `invalid_config` when the disk is full; what was there stays then.
 */
export function writeServices(dataDir: string, services: Services): void {
  const path = pathIn(dataDir)
  const draft = `${path}.${randomUUID()}`
  const file: z.infer<typeof File> = { version: 1, up: identifyProcess(process.pid), ...services }
  try {
    withRoom(dataDir, 'services.json', () =>
      writeFileSync(draft, `${JSON.stringify(file, undefined, 2)}\n`, { mode: 0o600, flag: 'wx' }),
    )
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
  renameSync(draft, path)
}

/** The services of the `up` that runs on this data directory; undefined when none runs. */
export function readServices(dataDir: string): Services | undefined {
  let text: string
  try {
    text = readFileSync(pathIn(dataDir), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const parsed = File.safeParse(parseJson(text))
  if (!parsed.success || !isAlive(parsed.data.up)) return undefined
  const { version: _, up: __, ...services } = parsed.data
  return services
}

/** To be called before the services stop. */
export function removeServices(dataDir: string): void {
  rmSync(pathIn(dataDir), { force: true })
}

function pathIn(dataDir: string): string {
  return join(dataDir, 'services.json')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
