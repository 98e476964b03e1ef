/** The configuration in force, which follows its file, or what the OpenCode server offers without one. */
import { unwatchFile, watchFile } from 'node:fs'
import type { CatalogSnapshot } from '../catalog/catalog.ts'
import { TierlineError } from '../errors.ts'
import { deriveTable } from '../routing/derive-tiers.ts'
import { createRoutingTable, type RoutingTable } from '../routing/table.ts'
import { type Config, configWithoutFile, type Limits } from './config.ts'
import { configError } from './config-problem.ts'
import { DefaultsSchema } from './defaults-schema.ts'
import { loadFile, type Surroundings } from './load-file.ts'
import type { Settings } from './settings.ts'

/** Looking is one `stat`: it sees renames, links and network disks, which events of the system do not. */
const LOOK_MS = 500
/** Without a file: how often the server is asked what it offers. */
const DERIVE_MS = 60_000
/** And how often while it does not answer or offers nothing. */
const DERIVE_AGAIN_MS = 2_000

const NO_MODELS: CatalogSnapshot = { models: [], defaultModel: null, agents: [], subagents: [] }

export interface LiveConfigOptions {
  readonly config: Settings['config']
  /** Left out: nothing of them is known. */
  readonly around?: Surroundings
  /** What the OpenCode server offers; asked only while there is no file. */
  catalog(): Promise<CatalogSnapshot>
  /** Refuses, by throwing, a version that must not come into force. */
  check?(config: Config): void
  /** A version was refused, or a listener threw. What was in force stays. */
  onError?(error: Error): void
}

export interface LiveConfig {
  current(): Config
  table(): RoutingTable
  limits(): Limits
  /** `error`: why what the file says now, or the server offers now, is not in force. */
  status(): { generation: number; error: string | null }
  /** Looks now. Resolves when the newest version is in force or refused; never throws. */
  reload(): Promise<void>
  /** Calls the listener after each change; gives the function that stops it. */
  onChange(listener: (config: Config) => void): () => void
  close(): Promise<void>
}

/**
 * Loads the first version and follows it. A later version that is bad changes nothing but `status().error`.
 * A file that appears is taken; one that disappears leaves what it said in force.
 *
 * @throws {TierlineError} `invalid_config` when the first version is bad, or a file that was named is absent.
 */
export async function createLiveConfig(options: LiveConfigOptions): Promise<LiveConfig> {
  const { path, explicit } = options.config
  const listeners = new Set<(config: Config) => void>()
  let config: Config | undefined
  // What the version in force was made of: the same again is no new version.
  let madeOf = ''
  let error: string | null = null
  let loading: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined
  let closed = false

  /** @throws {TierlineError} when there is no good version; what was in force stays. */
  async function load(): Promise<void> {
    const generation = (config?.table.generation ?? 0) + 1
    const file = await loadFile(path, generation, options.around)
    if (file.status === 'invalid') throw configError(path, file.problems)
    if (file.status === 'valid') return swap(file.config, `file ${file.text}`)
    if (explicit || config?.table.source.kind === 'file') throw absent(path)
    const { table, failure } = await derive(generation)
    // An empty table is better than none only at the start.
    if (!failure || !config)
      swap(
        configWithoutFile(table, DefaultsSchema.parse({})),
        `derived ${JSON.stringify([table.tiers, table.warnings])}`,
      )
    if (failure) throw failure
  }

  async function derive(generation: number): Promise<{ table: RoutingTable; failure?: TierlineError }> {
    const tableOf = (catalog: CatalogSnapshot) => createRoutingTable(deriveTable(catalog, generation))
    try {
      return { table: tableOf(await options.catalog()) }
    } catch (cause) {
      const reason = `Cannot derive tiers without a file: ${(cause as Error).message}`
      return {
        // Not that the server offers no model: it could not be asked.
        table: { ...tableOf(NO_MODELS), warnings: [reason] },
        failure: new TierlineError('opencode_unavailable', reason, { cause }),
      }
    }
  }

  function swap(next: Config, from: string): void {
    error = null
    if (from === madeOf) return
    options.check?.(next)
    config = next
    madeOf = from
    for (const listener of listeners) {
      try {
        listener(next)
      } catch (thrown) {
        options.onError?.(thrown as Error)
      }
    }
  }

  function reload(): Promise<void> {
    loading = loading.then(async () => {
      if (closed) return
      try {
        await load()
      } catch (thrown) {
        const { message } = thrown as Error
        // Said once: the same file may be looked at often.
        if (message !== error) options.onError?.(thrown as Error)
        error = message
      }
      deriveLater()
    })
    return loading
  }

  function deriveLater(): void {
    clearTimeout(timer)
    if (closed || config?.table.source.kind !== 'derived') return
    const offersNothing = config.table.tiers.every(({ models }) => models.length === 0)
    timer = setTimeout(() => void reload(), error !== null || offersNothing ? DERIVE_AGAIN_MS : DERIVE_MS)
  }

  try {
    await load()
  } catch (thrown) {
    if (!config) throw thrown
    error = (thrown as Error).message
    options.onError?.(thrown as Error)
  }
  deriveLater()
  // Of a file that comes back Node names as "before" what it was before it went, so there is nothing to compare.
  const onLook = (): void => void reload()
  watchFile(path, { interval: LOOK_MS }, onLook)

  return {
    current: () => config!,
    table: () => config!.table,
    limits: () => config!.limits,
    status: () => ({ generation: config!.table.generation, error }),
    reload,
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    async close() {
      closed = true
      unwatchFile(path, onLook)
      clearTimeout(timer)
      await loading
    },
  }
}

export function absent(path: string): TierlineError {
  return new TierlineError(
    'invalid_config',
    `Cannot read the configuration file "${path}": it does not exist`,
    {
      errors: [{ field: 'TIERLINE_CONFIG', message: 'names a file that does not exist', given: path }],
    },
  )
}
