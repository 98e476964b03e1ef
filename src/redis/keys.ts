/**
 * Every Redis key of tierline is built here.
 *
 * All share one hash tag, BullMQ's included, so that a script may touch record, log and queue together
 * and a namespace lives on one node of a cluster (docs/architecture.md "Keys in Redis").
 */

export interface Keys {
  /** `{tierline}` or `{tierline:NAME}`. */
  readonly root: string
  /** Prefix for BullMQ. */
  readonly queuePrefix: string
  /** Hash: the record of one task, the truth. */
  task(id: string): string
  /** Stream: the event log of one task; an entry is a batch, its id `<seq of its last event>-0`. */
  log(id: string): string
  /** Channel: new entries of one log. */
  channel(id: string): string
  /** Channel: `<id> <its last events>` of tasks that are over, to the process which waits for them. */
  ends(process: string): string
  /** Sorted set of the ids of a task's children, score 0. Only where there are any. */
  children(id: string): string
  /** Hash: task id → its worktree, as long as there is one. */
  readonly worktrees: string
  /** Channel: `cancel <id>` and `parent <id>` (it has a child now) to all workers. */
  readonly control: string
  /** Channel: messages of sessions that were accepted, or withdrawn, between API processes. */
  readonly sessionNotices: string
  /** Sorted set of all task ids, score 0: lexicographic order is order of creation. */
  readonly tasks: string
  /** Sorted set of the ids that are not over, score 0. */
  readonly live: string
  /** Sorted set of the ids that ended so, score 0. Those that succeeded are most of all and have none. */
  ended(state: 'failed' | 'cancelled'): string
  /** Sorted set of the finished task ids, score finishedAt: what retention walks. */
  readonly finished: string
  /** String with expiry: the first answer to an idempotency key; `digest` is of caller and key. */
  once(digest: string): string
  /** Sorted set of turns that were aborted for good, score epoch ms; see `tombstone-store.ts`. */
  readonly tombstones: string
  /** String with expiry: who does the maintenance now. */
  readonly maintainer: string
  /** Set of the queue names that workers serve or served. */
  readonly queues: string
  /** Hash: what was spent on a UTC day (`2026-11-23`), see `ledger/ledger-entries.ts`. Expires. */
  ledger(day: string): string
  /** Who holds a gate (a set) and who waits at it (a sorted set by order of submit). */
  gate(name: string): { readonly holding: string; readonly waiting: string }
  /** Hash: models that fail, and until when others are kept from them. */
  readonly cooling: string
  /** Channel: what changes in `cooling`. */
  readonly coolingChannel: string
  /** Hash: the turns of API keys in a queue; see `queues/fair-turns.ts`. Only where there are several keys. */
  turns(queue: string): string
  /** Prefix of what is known of limits: see `scripts/limit-book.lua`. */
  readonly limits: string
  /** Counter: places given in the lines of all strict gates. */
  readonly gateOrder: string
  /** Set: names of the gates of sessions and directories where anybody holds or waits. */
  readonly gateLines: string
  /** Hash: of each budget the start of its window, what was spent in it, and what is held. */
  readonly budgets: string
  /** Hash: what each task holds of its budgets, and what it told them; packed. Only of tasks under any. */
  readonly holds: string
  /** Sorted set of worker processes, score epoch ms of their last sign of life. */
  readonly workers: string
}

/** @throws {RangeError} for a namespace with other characters than letters, digits, `.`, `_` and `-`. */
export function createKeys(namespace: string | undefined): Keys {
  if (namespace !== undefined && !/^[\w.-]{1,64}$/.test(namespace))
    throw new RangeError(
      `Cannot use the namespace "${namespace}": only letters, digits, ".", "_" and "-" are allowed`,
    )
  const root = namespace === undefined ? '{tierline}' : `{tierline:${namespace}}`
  return {
    root,
    queuePrefix: `${root}:queue`,
    task: (id) => `${root}:task:${id}`,
    log: (id) => `${root}:log:${id}`,
    channel: (id) => `${root}:channel:${id}`,
    ends: (process) => `${root}:ends:${process}`,
    children: (id) => `${root}:children:${id}`,
    worktrees: `${root}:worktrees`,
    control: `${root}:control`,
    sessionNotices: `${root}:session-notices`,
    tasks: `${root}:tasks`,
    live: `${root}:live`,
    ended: (state) => `${root}:ended:${state}`,
    finished: `${root}:finished`,
    once: (digest) => `${root}:once:${digest}`,
    tombstones: `${root}:tombstones`,
    maintainer: `${root}:maintainer`,
    queues: `${root}:queues`,
    ledger: (day) => `${root}:ledger:${day}`,
    gate: (name) => ({
      holding: `${root}:gate:${name}:holding`,
      waiting: `${root}:gate:${name}:waiting`,
    }),
    cooling: `${root}:cooling`,
    coolingChannel: `${root}:cooling-changed`,
    turns: (queue) => `${root}:turns:${queue}`,
    limits: `${root}:limit:`,
    gateOrder: `${root}:gate-order`,
    gateLines: `${root}:gate-lines`,
    budgets: `${root}:budgets`,
    holds: `${root}:holds`,
    workers: `${root}:workers`,
  }
}
