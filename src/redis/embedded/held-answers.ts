import type { Connection } from './valkey-internals.ts'

/** Answers that may not leave before what they acknowledge is in the log. */
export interface HeldAnswers {
  hold(connection: Connection, bytes: Buffer): void
  /** Valkey closes this connection. False: nothing is held, so it may be closed at once. */
  closeLater(connection: Connection): boolean
  release(): void
  /** Closes the connections instead: whoever waits there cannot be told. */
  drop(): void
}

export function createHeldAnswers(): HeldAnswers {
  let held = new Map<Connection, { answers: Buffer[]; isLast: boolean }>()
  const takeAll = () => {
    const all = held
    held = new Map()
    return all
  }
  return {
    hold(connection, bytes) {
      const before = held.get(connection)
      if (before === undefined) held.set(connection, { answers: [bytes], isLast: false })
      else before.answers.push(bytes)
    },
    closeLater(connection) {
      const before = held.get(connection)
      if (before !== undefined) before.isLast = true
      return before !== undefined
    },
    release() {
      if (held.size === 0) return
      for (const [connection, { answers, isLast }] of takeAll()) {
        const { socket } = connection
        // One piece: to hand many to the socket takes longer than to copy them.
        const isTaken = socket.write(answers.length === 1 ? answers[0]! : Buffer.concat(answers))
        if (!isTaken) connection.backpressured = true
        if (isLast) socket.destroySoon()
      }
    },
    drop() {
      for (const { socket } of takeAll().keys()) socket.destroy()
    },
  }
}
