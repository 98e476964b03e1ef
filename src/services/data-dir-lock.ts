/**
 * One `up` for each data directory.
 *
 * The lock names every process that uses the directory, services too: it is free only when all of them are
 * gone, so a successor cannot start a second Redis on files that a dying one still writes.
 */
import { randomUUID } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { TierlineError } from '../errors.ts'
import { identifyProcess, isAlive, ProcessIdentity } from './process-identity.ts'
import { readServices } from './services-file.ts'
import { withRoom } from './with-room.ts'

export interface DataDirLock {
  /**
   * Adds a process that uses the directory; in a restarted service's name it takes the old one's place.
   * @throws {TierlineError} `invalid_config` when the disk is full.
   */
  hold(name: string, pid: number): void
  /** When all holders but this process are gone. May be called twice. */
  release(): void
}

const Holder = ProcessIdentity.extend({ name: z.string() })
const Lock = z.strictObject({ token: z.string(), holders: z.array(Holder) })

type Holder = z.infer<typeof Holder>
type Lock = z.infer<typeof Lock>

const RETRY_MS = 50

/**
 * Makes the directory when there is none, and locks it. Waits for a predecessor that is just ending.
 * `holder` is what this process is called in the errors of others.
 *
 * @throws {TierlineError} `data_dir_locked`, with the process that holds it, after `waitMs`; `invalid_config` when
 *   it cannot be written there.
 */
export async function lockDataDir(dataDir: string, waitMs = 10_000, holder = 'up'): Promise<DataDirLock> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const path = join(dataDir, 'lock')
  const lock: Lock = { token: randomUUID(), holders: [{ name: holder, ...identifyProcess(process.pid) }] }
  const giveUpAt = Date.now() + waitMs
  for (;;) {
    const rival = withRoom(dataDir, 'its lock', () => tryLock(path, lock))
    if (rival === undefined) break
    if (Date.now() >= giveUpAt) throw locked(dataDir, rival)
    await delay(RETRY_MS)
  }
  return {
    hold(name, pid) {
      lock.holders = [
        ...lock.holders.filter((holder) => holder.name !== name),
        { name, ...identifyProcess(pid) },
      ]
      withRoom(dataDir, 'its lock', () => replace(path, lock))
    },
    release() {
      if (readLock(path)?.token === lock.token) rmSync(path, { force: true })
    },
  }
}

/** @throws {TierlineError} `data_dir_locked` when another process has it just now. */
export function refuseIfLocked(dataDir: string): void {
  const living = readLock(join(dataDir, 'lock'))?.holders.find(isAlive)
  if (living !== undefined) throw locked(dataDir, living)
}

/** Locks, or returns a living holder. */
function tryLock(path: string, lock: Lock): Holder | undefined {
  if (create(path, lock)) return undefined
  const current = readLock(path)
  if (current === undefined) return tryLock(path, lock)
  const living = current.holders.find(isAlive)
  if (living !== undefined) return living
  return takeOver(path, current, lock)
}

/**
 * Two that find the same dead lock must not both replace it: the right to do so is a lock of its own, named
 * after the dead one, and whoever gets it looks again first.
 */
function takeOver(path: string, dead: Lock, lock: Lock): Holder | undefined {
  const claim = `${path}.${dead.token}`
  const rival = tryLock(claim, lock)
  if (rival !== undefined) return rival
  try {
    if (readLock(path)?.token !== dead.token) return tryLock(path, lock)
    replace(path, lock)
    return undefined
  } finally {
    rmSync(claim, { force: true })
  }
}

/** With its content from the first moment on, so that nobody reads half a lock. */
function create(path: string, lock: Lock): boolean {
  const draft = writeDraft(path, lock)
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft)
  }
}

function replace(path: string, lock: Lock): void {
  renameSync(writeDraft(path, lock), path)
}

function writeDraft(path: string, lock: Lock): string {
  const draft = `${path}.${process.pid}.${randomUUID()}`
  try {
    writeFileSync(draft, JSON.stringify(lock), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
  return draft
}

/** Undefined when there is none. */
function readLock(path: string): Lock | undefined {
  try {
    return Lock.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    const message = `its lock cannot be read; remove "${path}" when no tierline runs there`
    throw new TierlineError(
      'data_dir_locked',
      `Cannot use the data directory "${dirname(path)}": ${message}`,
      {
        cause: error,
      },
    )
  }
}

function locked(dataDir: string, { name, pid }: Holder): TierlineError {
  const url = readServices(dataDir)?.api?.url
  const message = `is used by process ${pid} (${name} of another "tierline up"${url === undefined ? '' : ` at ${url}`}); stop that one, or set TIERLINE_DATA_DIR to another directory`
  return new TierlineError('data_dir_locked', `Cannot use the data directory "${dataDir}": it ${message}`, {
    errors: [{ field: 'TIERLINE_DATA_DIR', message, given: dataDir }],
  })
}
