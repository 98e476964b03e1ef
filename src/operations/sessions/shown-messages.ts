/** A follower may stay as long as it likes. */
const MOST_REMEMBERED = 10_000

export interface MessageIDs {
  /** Forgets the oldest of too many. */
  add(id: string): void
  has(id: string): boolean
  /** Whether it was there. */
  delete(id: string): boolean
}

export type ShownMessages = ReturnType<typeof createShownMessages>

/**
 * Which messages that wait were shown to the clients of this process, for each who follows events. OpenCode dates a
 * message when it is sent, and its clients look messages up by date: one that was shown before that must be taken
 * away first, or it stands there twice.
 */
export function createShownMessages() {
  const followers = new Set<MessageIDs>()

  return {
    follow(): MessageIDs & { stop(): void } {
      const ids = createMessageIDs()
      followers.add(ids)
      return Object.assign(ids, { stop: () => void followers.delete(ids) })
    },
    /** In a list. It may have gone to any who follows now. */
    show(id: string): void {
      for (const ids of followers) ids.add(id)
    },
  }
}

export function createMessageIDs(): MessageIDs {
  const ids = new Set<string>()
  return {
    add(id) {
      if (ids.size >= MOST_REMEMBERED) ids.delete(ids.values().next().value!)
      ids.add(id)
    },
    has: (id) => ids.has(id),
    delete: (id) => ids.delete(id),
  }
}
