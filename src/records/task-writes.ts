import { ledgerDayOf, ledgerExpiresAt } from '../ledger/ledger-day.ts'
import type { LedgerEntries } from '../ledger/ledger-entries.ts'
import { createBatcher } from '../redis/batcher.ts'
import type { Keys } from '../redis/keys.ts'
import { packArguments } from '../redis/pack-arguments.ts'
import type { Heard, QuotaAsk, Quotas } from '../redis/quotas.ts'
import type { RunScript } from '../redis/scripts.ts'
import { writeBatch } from '../tasks/event-batch.ts'
import { flat } from './record-fields.ts'
import type { Write, WriteResult } from './record-store.ts'

const NOTHING: LedgerEntries = []
const NONE: readonly QuotaAsk[] = []

/** As `write.lua` gives it. */
export type WriteReply = [seq: number, cancelRequested?: number, next?: string[]]

export interface TaskWritesOptions {
  scripts: RunScript
  keys: Keys
  /** How long the log of a finished task is kept; of one that failed it stays as long as the task. */
  logAgeMs: number
  /** About the most events of one log; the oldest go, and readers are told by `reset`. */
  maxLogEvents: number
  /** How many days the ledger of a day is kept after it; asked when a day begins. */
  ledgerDays(): number
  quotas: Quotas
}

export type TaskWrites = ReturnType<typeof createTaskWrites>

/** What `write.lua` is given for the writes of running tasks, and what it says. */
export function createTaskWrites(options: TaskWritesOptions) {
  const { scripts, keys, logAgeMs, maxLogEvents, ledgerDays, quotas } = options

  /** For writes that were all asked for just now; at least one. */
  function callOf(writes: readonly Write[]): { keys: string[]; packed: Buffer; texts: string[] } {
    const { now: today } = writes[0]!
    const letGo = letGoOf(writes)
    const texts: string[] = []
    const packed = packArguments([
      ...[keys.root, `${logAgeMs}`, maxLogEvents, ledgerExpiresAt(today, ledgerDays()), quotas.minuteMs],
      letGo.length > 0 && quotas.batchOf(letGo),
      writes.map(({ id, fence, seq, now, events, fields, ledger = NOTHING, to = '' }) => [
        ...[id, `${fence}`, seq, `${seq + events.length}`, `${now}`, to],
        ...[texts.push(writeBatch(seq + 1, events)), ledger, flat(fields)],
      ]),
    ])
    const written = [keys.live, keys.finished, keys.ledger(ledgerDayOf(today))]
    return { keys: [...written, ...writes.map(({ id }) => keys.task(id))], packed, texts }
  }

  /** To each write its reply. Who may try, since something was let go of, is told with the first write that did so. */
  async function repliesOf(said: WriteReply[], writes: readonly Write[]): Promise<readonly WriteReply[]> {
    const letGo = letGoOf(writes)
    if (letGo.length === 0) return said
    const replies = said.slice(0, -1)
    const heard = said.at(-1) as unknown as Heard
    if (!quotas.heard(heard)) {
      // The clock of this process was off by more than a window. The writes are done.
      await Promise.all(letGo.map((ask) => quotas.ask(ask)))
      return replies
    }
    const [, woken = []] = heard
    if (woken.length === 0) return replies
    const first = writes.findIndex((write, index) => write.letGo !== undefined && replies[index]![0] >= 0)
    const [seq, cancel = 0, next = []] = replies[first]!
    replies[first] = [seq, cancel, [...next, ...woken]]
    return replies
  }

  const send = createBatcher<Write, WriteReply>(async (writes) => {
    const call = callOf(writes)
    const said = await scripts('write-tasks', [...call.keys, call.packed, ...call.texts], call.keys.length)
    return repliesOf(said as WriteReply[], writes)
  })

  return {
    callOf,
    repliesOf,
    /**
     * Fields, log entries and a change of state together, or `stale` and nothing. Those that come in one tick go out as
     * one script: at full load a worker has a dozen at a time, and texts of many streams fall due together.
     */
    async write(write: Write): Promise<WriteResult> {
      return resultOf(write, await send(write))
    },
  }
}

export function resultOf({ id, seq }: Write, reply: WriteReply): WriteResult {
  if (reply[0] === -1) return { status: 'stale' }
  if (reply[0] === -2)
    throw new Error(`Cannot write to task "${id}": its log is at ${reply[1]}, not at ${seq}`)
  return { status: 'written', seq: reply[0], cancelRequested: reply[1] === 1, next: reply[2] ?? [] }
}

function letGoOf(writes: readonly Write[]): readonly QuotaAsk[] {
  return writes.flatMap(({ letGo }) => letGo ?? NONE)
}
