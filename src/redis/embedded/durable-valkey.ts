import { statfsSync } from 'node:fs'
import { EmbeddedValkey } from './embedded-valkey.ts'
import { recover, refusal } from './recover.ts'
import { createSnapshots } from './snapshots.ts'
import { openStoreDirectory } from './store-directory.ts'
import { type FsyncPolicy, openLog, type WriteAheadLog } from './write-ahead-log.ts'

export interface DurableValkeyOptions {
  /** Where it keeps everything. The caller holds its lock. */
  directory: string
  /** A free one of the loopback interface. */
  port: number
  password: string
  fsync: FsyncPolicy
  /** Hears of what goes wrong while it runs, in sentences for people. */
  report: (sentence: string) => void
  /** Hears of its end by itself. What was acknowledged is kept. */
  onFailure: (error: unknown) => void
}

export interface DurableValkey {
  /** What was kept before, on the disk. */
  readonly bytes: number
  /** What of it was damaged and cut off, and that writes are refused if they are, in sentences for people. */
  readonly notes: readonly string[]
  /** With a last snapshot. */
  stop(): Promise<void>
}

const TICK_MS = 1_000

/** Less than this left on the disk, and writes stay refused. */
const ROOM_BYTES = 2_000_000

/** `save` must be set for Valkey to refuse writes with `MISCONF`, and must never come true. */
const NEVER = '2147483647 2147483647'

const SETTINGS = {
  'maxmemory-policy': 'noeviction',
  // As redis-service.ts says for the native one.
  'stream-node-max-bytes': '2048',
  // A module of 32 bits has 4 GB; a snapshot and the scripts need some of it.
  maxmemory: '3gb',
  // Nobody asks for the times of single commands, and inside a pass the clock stands still.
  'latency-tracking': 'no',
  'slowlog-log-slower-than': '-1',
  // Snapshots are taken here, and it cannot fork.
  save: '',
  // The one replica is the log: it is in this process, says nothing and is never late.
  'repl-ping-replica-period': '2147483647',
  'repl-timeout': '2147483647',
  'repl-backlog-ttl': '0',
  'repl-backlog-size': '1mb',
  'client-output-buffer-limit': 'replica 0 0 0',
}

/**
 * Embedded Valkey that keeps what it acknowledged, through a `kill -9` too (docs/decisions/0012-durable-valkey.md).
 *
 * @throws {Error} when what is in the directory cannot be used, with the way out.
 */
export async function startDurableValkey(options: DurableValkeyOptions): Promise<DurableValkey> {
  const { directory, port, password, fsync, report, onFailure } = options
  openStoreDirectory(directory)
  const { snapshot, replay, segments, nextSequence, notes } = recover(directory)
  const valkey = new EmbeddedValkey({ port, directory, commit, onFailure })
  try {
    await valkey.boot()
  } catch {
    throw refusal(directory, 'its snapshot is damaged, Valkey cannot load it')
  }
  // From here to the last line in one turn, so that nobody connects before there are a log and a password.
  valkey.ask('CONFIG', 'SET', ...Object.entries(SETTINGS).flat())
  try {
    valkey.replay(replay, snapshot?.database ?? 0)
  } catch (error) {
    throw refusal(directory, (error as Error).message)
  }
  const place = valkey.follow((bytes) => log.append(bytes))
  const log: WriteAheadLog = openLog({
    ...place,
    directory,
    fsync,
    older: segments,
    sequence: nextSequence,
  })
  valkey.releaseClock()
  valkey.ask('CONFIG', 'SET', 'requirepass', password)
  const snapshots = createSnapshots({ directory, log, valkey, streamId: place.streamId, last: snapshot })
  let refusesWrites = false
  beginLog()
  await valkey.listen()
  const timer = setInterval(() => void tick().catch(fail), TICK_MS)

  return {
    bytes: (snapshot?.bytes ?? 0) + segments.reduce((sum, { fileBytes }) => sum + fileBytes, 0),
    notes,
    async stop() {
      clearInterval(timer)
      valkey.step()
      trySnapshot(() => snapshots.takeLast())
      await valkey.stop()
      closeLog()
    },
  }

  /** On a disk without room for it what is there can be read at least. */
  function beginLog(): void {
    try {
      log.flush()
    } catch (error) {
      if (!isDiskFull(error)) throw error
      notes.push(refuseWrites(error))
    }
  }

  function closeLog(): void {
    try {
      log.close()
    } catch (error) {
      if (!refusesWrites) throw error
      // What is pending was acknowledged to nobody.
    }
  }

  function commit(): 'release' | 'drop' {
    if (refusesWrites) return 'release'
    try {
      log.flush()
      return 'release'
    } catch (error) {
      // What the disk has after that nobody knows: to be found out by a new start.
      if (isSyncFailure(error)) throw error
      refuseWrites(error as Error)
      return 'drop'
    }
  }

  /** What was done and not written stays for the next try. Whoever waits for its answer is not told that it was. */
  function refuseWrites(error: Error): string {
    refusesWrites = true
    valkey.ask('CONFIG', 'SET', 'save', NEVER)
    // It fails, as it always does here: that is what makes Valkey refuse.
    valkey.tell('BGSAVE')
    const sentence = `Cannot write to "${directory}": ${error.message}; writes are refused until that works again`
    report(sentence)
    return sentence
  }

  async function tick(): Promise<void> {
    if (refusesWrites) acceptWritesAgain()
    else if (fsync === 'everysec') await log.sync()
    if (!refusesWrites) trySnapshot(() => snapshots.takeWhenDue())
  }

  function acceptWritesAgain(): void {
    const { bavail, bsize } = statfsSync(directory)
    if (bavail * bsize < ROOM_BYTES) return
    try {
      log.flush()
    } catch (error) {
      if (isSyncFailure(error)) throw error
      return
    }
    valkey.ask('CONFIG', 'SET', 'save', '')
    refusesWrites = false
    report(`"${directory}" can be written again, and so can the embedded Valkey`)
  }

  function trySnapshot(take: () => void): void {
    try {
      take()
    } catch (error) {
      if (isSyncFailure(error)) throw error
      report(`Cannot take a snapshot in "${directory}": ${(error as Error).message}; the log goes on`)
    }
  }

  function fail(error: unknown): void {
    clearInterval(timer)
    void valkey.stop()
    onFailure(error)
  }
}

function isDiskFull(error: unknown): error is Error {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')
}

function isSyncFailure(error: unknown): boolean {
  return /sync$/.test((error as NodeJS.ErrnoException).syscall ?? '')
}
