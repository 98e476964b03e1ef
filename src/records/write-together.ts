import { ledgerDayOf, ledgerExpiresAt } from '../ledger/ledger-day.ts'
import type { LedgerEntries } from '../ledger/ledger-entries.ts'
import { createBatcher } from '../redis/batcher.ts'
import type { Keys } from '../redis/keys.ts'
import type { Heard, QuotaAsk, Quotas } from '../redis/quotas.ts'
import type { RunScript } from '../redis/scripts.ts'
import type { Write } from './record-store.ts'

const NOTHING: LedgerEntries = []
const NONE: readonly QuotaAsk[] = []

/** As `write-tasks.lua` gives it. */
export type WriteReply = [seq: number, cancelRequested?: number, next?: string[]]

export interface WriteTogetherOptions {
  scripts: RunScript
  keys: Keys
  logAgeMs: number
  maxLogEvents: number
  ledgerDays(): number
  quotas: Quotas
}

/**
 * The writes of running tasks. Those that come in one tick go out as one script: at full load a worker has a dozen at a
 * time, and texts of many streams fall due together.
 */
export function writeTogether(options: WriteTogetherOptions): (write: Write) => Promise<WriteReply> {
  const { scripts, keys, logAgeMs, maxLogEvents, ledgerDays, quotas } = options

  async function send(writes: readonly Write[]): Promise<readonly WriteReply[]> {
    // They were all asked for just now.
    const { now: today } = writes[0]!
    const args: (string | number)[] = [keys.live, keys.finished, keys.ledger(ledgerDayOf(today))]
    for (const { id } of writes) args.push(keys.task(id))
    const letGo = writes.flatMap((write) => write.letGo ?? NONE)
    args.push(keys.root, logAgeMs, maxLogEvents, ledgerExpiresAt(today, ledgerDays()))
    args.push(quotas.minuteMs, letGo.length === 0 ? '' : quotas.pack(letGo))
    for (const { id, fence, seq, now, events, fields, ledger = NOTHING, to = '' } of writes) {
      const at = args.push(0) - 1
      args.push(id, fence, seq + 1, seq + events.length, now, to, JSON.stringify(events))
      args.push(ledger.length, ...ledger)
      for (const field in fields) args.push(field, fields[field]!)
      args[at] = args.length - at - 1
    }
    const replies = (await scripts('write-tasks', args, 3 + writes.length)) as WriteReply[]
    if (letGo.length > 0) await hear(replies, writes, letGo)
    return replies
  }

  /** Who may try, since something was let go of, is told with the first write that did so. */
  async function hear(
    replies: WriteReply[],
    writes: readonly Write[],
    letGo: readonly QuotaAsk[],
  ): Promise<void> {
    const heard = replies.pop() as unknown as Heard
    if (!quotas.heard(heard)) {
      // The clock of this process was off by more than a window. The writes are done.
      await Promise.all(letGo.map((ask) => quotas.ask(ask)))
      return
    }
    const [, woken = []] = heard
    if (woken.length === 0) return
    const first = writes.findIndex((write, index) => write.letGo !== undefined && replies[index]![0] >= 0)
    const [seq, cancel = 0, next = []] = replies[first]!
    replies[first] = [seq, cancel, [...next, ...woken]]
  }

  return createBatcher(send)
}
