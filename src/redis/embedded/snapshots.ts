import type { EmbeddedValkey } from './embedded-valkey.ts'
import { readSnapshot, type Snapshot } from './snapshot.ts'
import type { WriteAheadLog } from './write-ahead-log.ts'

export interface Snapshots {
  /** When the log has outgrown the last snapshot. @throws {Error} when it cannot be written; the log goes on. */
  takeWhenDue(): void
  /** Unless nothing has happened since the last one. @throws as `takeWhenDue`. */
  takeLast(): void
}

interface SnapshotSources {
  directory: string
  log: WriteAheadLog
  valkey: Pick<EmbeddedValkey, 'ask'>
  streamId: string
  /** The one that is there. */
  last: Snapshot | undefined
}

/** A log is allowed to be as large as the snapshot, within these: a small one is cheap, a large one slow to replay. */
const LEAST_LOG_BYTES = 64_000_000
const MOST_LOG_BYTES = 256_000_000

/**
 * Snapshots replace the log. Valkey stands still meanwhile, since it cannot fork.
 *
 * The cut needs no care: a snapshot says itself up to which offset of the stream it goes. The log from there on
 * is in the segment begun just before, and what came before is removed when the snapshot is on the disk.
 */
export function createSnapshots({ directory, log, valkey, streamId, last }: SnapshotSources): Snapshots {
  let snapshotBytes = last?.bytes ?? 0
  let failedAtBytes = 0

  const take = (): void => {
    failedAtBytes = log.bytes
    log.rotate()
    valkey.ask('SAVE')
    const snapshot = readSnapshot(directory)
    if (snapshot?.streamId !== streamId) throw new Error('Valkey has not written what it says')
    log.forget()
    snapshotBytes = snapshot.bytes
    failedAtBytes = 0
  }

  return {
    takeWhenDue() {
      const limit = Math.min(Math.max(LEAST_LOG_BYTES, snapshotBytes), MOST_LOG_BYTES)
      // After a failure not before there is as much again.
      if (log.bytes - failedAtBytes > limit) take()
    },
    takeLast() {
      if (log.hasNews) take()
    },
  }
}
