/** Remembers what the OpenCode server offers, per directory, so that a submit need not ask. */
import type { CatalogSnapshot } from './catalog.ts'
import { createRemembered, type Remembered } from './remembered.ts'

/** After a miss the server is asked again at most this often. */
const ASK_AGAIN_MS = 3_000
const MOST_DIRECTORIES = 200

export type CatalogCache = ReturnType<typeof createCatalogCache>

/** `load` asks the server; `directory` `undefined` is the server's own. */
export function createCatalogCache(
  load: (directory: string | undefined) => Promise<CatalogSnapshot>,
  now: () => number = Date.now,
) {
  const own = createRemembered(() => load(undefined), now)
  const directories = new Map<string, Remembered<CatalogSnapshot>>()

  function catalogOf(directory: string | undefined): Remembered<CatalogSnapshot> {
    if (directory === undefined) return own
    const known = directories.get(directory)
    if (known !== undefined) return known
    if (directories.size >= MOST_DIRECTORIES) directories.delete(directories.keys().next().value!)
    const catalog = createRemembered(() => load(directory), now)
    directories.set(directory, catalog)
    return catalog
  }

  return {
    /**
     * What is known, at once; a minute later it is asked for again in the background. Waits only the first time.
     * @throws what `load` throws when nothing is known yet.
     */
    get: (directory?: string): Promise<CatalogSnapshot> => catalogOf(directory).get(),

    /** What is known of the server itself without asking anybody. */
    peek: (): CatalogSnapshot | undefined => own.peek(),

    /** Asks again, unless that was done within the last 3 s. Gives the last good answer when nobody answers. */
    refresh: (directory?: string): Promise<CatalogSnapshot> => catalogOf(directory).refresh(ASK_AGAIN_MS),
  }
}
