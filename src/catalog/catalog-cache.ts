/** Remembers what the OpenCode server offers, per directory, so that a submit need not ask. */
import type { CatalogSnapshot } from './catalog.ts'

const FRESH_MS = 60_000
/** After a miss the server is asked again at most this often. */
const ASK_AGAIN_MS = 3_000
const MOST_DIRECTORIES = 200

interface Entry {
  snapshot: CatalogSnapshot | undefined
  loadedAt: number
  loading: Promise<CatalogSnapshot> | undefined
}

export type CatalogCache = ReturnType<typeof createCatalogCache>

/** `load` asks the server; `directory` `undefined` is the server's own. */
export function createCatalogCache(
  load: (directory: string | undefined) => Promise<CatalogSnapshot>,
  now: () => number = Date.now,
) {
  const own = newEntry()
  const directories = new Map<string, Entry>()

  function entryOf(directory: string | undefined): Entry {
    if (directory === undefined) return own
    const known = directories.get(directory)
    if (known !== undefined) return known
    if (directories.size >= MOST_DIRECTORIES) directories.delete(directories.keys().next().value!)
    const entry = newEntry()
    directories.set(directory, entry)
    return entry
  }

  function reload(directory: string | undefined, entry: Entry): Promise<CatalogSnapshot> {
    entry.loading ??= load(directory)
      .then((snapshot) => {
        entry.snapshot = snapshot
        return snapshot
      })
      .finally(() => {
        entry.loadedAt = now()
        entry.loading = undefined
      })
    return entry.loading
  }

  return {
    /**
     * What is known, at once; a minute later it is asked for again in the background. Waits only the first time.
     * @throws what `load` throws when nothing is known yet.
     */
    async get(directory?: string): Promise<CatalogSnapshot> {
      const entry = entryOf(directory)
      if (entry.snapshot === undefined) return reload(directory, entry)
      // The last good answer holds while the server is away.
      if (now() - entry.loadedAt > FRESH_MS) reload(directory, entry).catch(() => {})
      return entry.snapshot
    },

    /** What is known of the server itself without asking anybody. */
    peek: (): CatalogSnapshot | undefined => own.snapshot,

    /** Asks again, unless that was done within the last 3 s. Gives the last good answer when nobody answers. */
    async refresh(directory?: string): Promise<CatalogSnapshot> {
      const entry = entryOf(directory)
      if (entry.snapshot !== undefined && now() - entry.loadedAt < ASK_AGAIN_MS) return entry.snapshot
      try {
        return await reload(directory, entry)
      } catch (error) {
        if (entry.snapshot === undefined) throw error
        return entry.snapshot
      }
    },
  }
}

function newEntry(): Entry {
  return { snapshot: undefined, loadedAt: Number.NEGATIVE_INFINITY, loading: undefined }
}
