/** BullMQ's own Lua scripts, to run inside ours: no part of its interface, so package.json names one version of it. */
import { createRequire } from 'node:module'

export type BullScript =
  | 'moveToActive'
  | 'moveToFinished'
  | 'addStandardJob'
  | 'addPrioritizedJob'
  | 'addDelayedJob'

/** Name → its source, and how many of its arguments are keys. */
export const BULL_SCRIPTS = createRequire(import.meta.url)('bullmq/dist/cjs/scripts') as Readonly<
  Record<BullScript, { content: string; keys: number }>
>
