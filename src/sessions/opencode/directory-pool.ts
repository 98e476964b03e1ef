import { type DirectoryWatch, type Notice, type WatchOptions, watchDirectory } from './directory-watch.ts'

/** The directories that are in use or were just now: an event connection is dear to make and cheap to keep. */
export interface DirectoryPool {
  /** Call `release` when done; the watch outlives it by the linger time. */
  use(directory: string | undefined): { watch: DirectoryWatch; release: () => void }
  /** Tells whoever listens to the session in this process. */
  tell(directory: string | undefined, sessionID: string, notice: Notice): void
  close(): Promise<void>
}

export interface DirectoryPoolOptions extends WatchOptions {
  /** How long a watch is kept that nobody uses. */
  lingerMs: number
}

interface Entry {
  watch: DirectoryWatch
  users: number
  timer: NodeJS.Timeout | undefined
}

export function createDirectoryPool({ lingerMs, ...options }: DirectoryPoolOptions): DirectoryPool {
  const entries = new Map<string | undefined, Entry>()
  const closing = new Set<Promise<void>>()

  function open(directory: string | undefined): Entry {
    const entry = { watch: watchDirectory(directory, options), users: 0, timer: undefined }
    entries.set(directory, entry)
    return entry
  }

  function drop(directory: string | undefined, { watch }: Entry): void {
    entries.delete(directory)
    const closed = watch.close().finally(() => closing.delete(closed))
    closing.add(closed)
  }

  return {
    use(directory) {
      const entry = entries.get(directory) ?? open(directory)
      clearTimeout(entry.timer)
      entry.users += 1
      return {
        watch: entry.watch,
        release() {
          entry.users -= 1
          if (entry.users > 0 || entries.get(directory) !== entry) return
          entry.timer = setTimeout(() => drop(directory, entry), lingerMs)
        },
      }
    },
    tell(directory, sessionID, notice) {
      entries.get(directory)?.watch.tell(sessionID, notice)
    },
    async close() {
      for (const [directory, entry] of [...entries]) {
        clearTimeout(entry.timer)
        drop(directory, entry)
      }
      await Promise.all(closing)
    },
  }
}
