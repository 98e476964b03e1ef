/** What a run may not leave behind, looked for once all its tasks are removed. */
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { WORKERS } from './plan.ts'
import type { Stage } from './stage.ts'

/** Connections that a process opens as it goes: to servers it had not needed yet. */
const SLACK = 12
const PATIENCE_MS = 15_000

export type OpenFiles = Record<string, number>

/** Open file descriptors of API and workers. */
export function openFiles(stage: Stage): OpenFiles {
  return Object.fromEntries(
    (['api', ...WORKERS] as const).map((who) => [who, readdirSync(`/proc/${stage.pid(who)}/fd`).length]),
  )
}

/** Once readers have hung up: who has more files open than when it was new. */
export async function leakedFiles(before: OpenFiles, stage: Stage): Promise<string[]> {
  stage.links['reader->api'].reset()
  for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(100)) {
    const leaked = Object.entries(openFiles(stage)).filter(([who, count]) => count > before[who]! + SLACK)
    if (leaked.length === 0 || Date.now() > deadline)
      return leaked.map(([who, count]) => `${who} has ${count} files open, ${before[who]} when it was new`)
  }
}

/** Removes these tasks, then names the keys that still belong to one, and locks; those that expire are no leftover. */
export async function keysLeft(stage: Stage, ids: readonly string[]): Promise<string[]> {
  for (const id of ids) await stage.client.remove(id)
  const redis = new Redis(stage.redis.urlAt(stage.redis.port))
  try {
    const left: string[] = []
    for await (const keys of redis.scanStream({ count: 1_000 }))
      for (const key of keys as string[])
        if (ids.some((id) => key.includes(id)) && (await redis.pttl(key)) === -1) left.push(key)
    return left.map((key) => `the key ${key} is left`)
  } finally {
    redis.disconnect()
  }
}
