/** The embedded Valkey as a service: how its process is started, and what it says when it is. */
import { join } from 'node:path'
import { z } from 'zod'
import { hasStore } from '../redis/embedded/store-directory.ts'
import { FSYNC_POLICIES, type FsyncPolicy } from '../redis/embedded/write-ahead-log.ts'
import { workerCommand } from './worker-command.ts'

/** What its process reads from stdin. */
export const ValkeySettings = z.strictObject({
  directory: z.string(),
  /** 0: any free one. */
  port: z.int().min(0).max(65_535),
  password: z.string().min(1),
  fsync: z.enum(FSYNC_POLICIES),
  /** How long to wait for another process to let go of the directory. */
  lockWaitMs: z.int().min(0).default(10_000),
})

/** What it prints when it listens. */
export const ValkeyOutput = z.strictObject({
  url: z.string(),
  /** What was kept before, on the disk. */
  bytes: z.int(),
  /** What of it was damaged and cut off, and that writes are refused if they are, in sentences. */
  notes: z.array(z.string()),
})

export type ValkeyOutput = z.infer<typeof ValkeyOutput>

export function valkeyDirectory(dataDir: string): string {
  return join(dataDir, 'valkey')
}

/** True: tasks may be in there. */
export function hasValkeyData(dataDir: string): boolean {
  return hasStore(valkeyDirectory(dataDir))
}

export function valkeyCommand(settings: z.input<typeof ValkeySettings>) {
  return {
    ...workerCommand('valkey'),
    stdin: JSON.stringify(settings),
    ready: { stdoutJson: true },
  } as const
}

/** One line for whoever starts it: what it is, where it ends, and what to take then. */
export function introduceValkey(directory: string, fsync: FsyncPolicy, output: unknown): string {
  const { bytes } = ValkeyOutput.parse(output)
  const size = `${(bytes / 1e6).toFixed(1)} MB`
  return (
    `Redis is the embedded Valkey in "${directory}" (${size}, fsync ${fsync}; at most 3 GB, no replicas). ` +
    'For several machines, more data or steady load take a Redis of its own: "tierline move --to redis://…" carries everything over'
  )
}
