import { ledgerDayOf, ledgerExpiresAt } from '../ledger/ledger-day.ts'
import type { LedgerEntries } from '../ledger/ledger-entries.ts'
import { createBatcher } from '../redis/batcher.ts'
import type { Keys } from '../redis/keys.ts'
import type { RunScript } from '../redis/scripts.ts'
import type { Write } from './record-store.ts'

const NOTHING: LedgerEntries = []

/** As `write-tasks.lua` gives it. */
export type WriteReply = [seq: number, cancelRequested?: number, next?: string[]]

export interface WriteTogetherOptions {
  scripts: RunScript
  keys: Keys
  logAgeMs: number
  maxLogEvents: number
  ledgerDays: number
}

/**
 * The writes of running tasks. Those that come in one tick go out as one script: at full load a worker has a dozen at a
 * time, and texts of many streams fall due together.
 */
export function writeTogether(options: WriteTogetherOptions): (write: Write) => Promise<WriteReply> {
  const { scripts, keys, logAgeMs, maxLogEvents, ledgerDays } = options

  async function send(writes: readonly Write[]): Promise<readonly WriteReply[]> {
    // They were all asked for just now.
    const { now: today } = writes[0]!
    const args: (string | number)[] = [keys.live, keys.finished, keys.ledger(ledgerDayOf(today))]
    for (const { id } of writes) args.push(keys.task(id))
    args.push(keys.root, logAgeMs, maxLogEvents, ledgerExpiresAt(today, ledgerDays))
    for (const { id, fence, seq, now, events, fields, ledger = NOTHING, to = '' } of writes) {
      const at = args.push(0) - 1
      args.push(id, fence, seq, now, to, events.length, JSON.stringify(events), ledger.length, ...ledger)
      for (const field in fields) args.push(field, fields[field]!)
      args[at] = args.length - at - 1
    }
    return (await scripts('write-tasks', args, 3 + writes.length)) as WriteReply[]
  }

  return createBatcher(send)
}
