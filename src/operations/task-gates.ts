/** Which gates a task must pass, and what they are made of. */
import type { Gate } from '../gates/gate.ts'
import { createGatekeeper } from '../gates/gatekeeper.ts'
import { lineOfSession } from '../gates/line-of.ts'
import { createTurnstile, type TurnstileDeps } from '../gates/turnstile.ts'
import type { TaskQueues } from '../queues/task-queues.ts'
import type { RecordStore } from '../records/record-store.ts'
import type { TaskRecord } from '../records/task-record.ts'
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import type { RunScript } from '../redis/scripts.ts'

export interface TaskGatesDeps {
  redis: RedisClient
  scripts: RunScript
  keys: Keys
  records: RecordStore
  queues: TaskQueues
  /** Gates that only a worker knows of, asked after all others. */
  moreGates?(record: TaskRecord): readonly Gate[]
}

type GatedTask = Pick<TaskRecord, 'input' | 'directory' | 'exclusiveBelow'>

export type TaskGates = ReturnType<typeof createTaskGates>

const SESSION = lineOfSession('')
const NONE: readonly Gate[] = []
/** Gates that are looked after at once. */
const PIECE = 100

/** On one connection; opens nothing. */
export function createTaskGates({ redis, scripts, keys, records, queues, moreGates }: TaskGatesDeps) {
  const withoutClaim: TurnstileDeps['withoutClaim'] = async ({ holders, heldFor, waiters }) => {
    const states = new Map(
      (await records.liveQueues([...holders, ...waiters])).map(({ id, state }) => [id, state]),
    )
    const holds = (id: string) => (heldFor === 'run' ? states.get(id) === 'running' : states.has(id))
    return [...holders.filter((id) => !holds(id)), ...waiters.filter((id) => !states.has(id))]
  }
  async function wake(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await queues.promoteFirst(await records.liveQueues(ids))
  }

  const deps = { redis, scripts, keys, withoutClaim, wake }

  const turn = (reason: 'session' | 'directory', name: string, subject = '') =>
    createTurnstile(deps, {
      name,
      reason,
      heldFor: 'task',
      isStrict: reason === 'session',
      isLeftWithLastWrite: reason === 'session',
      detail: (before) => `${subject}: ${before} before it`,
    })

  /** One message of a session at a time, in the order they were sent, a retried one last. */
  const sessionTurn = (sessionID: string) => turn('session', lineOfSession(sessionID), sessionID)

  /**
   * One exclusive task of a directory at a time. Tasks below one that has it do not wait for that, which may wait
   * for them: they take turns among themselves.
   */
  const directoryTurn = (directory: string | null, below: string | null) =>
    turn(
      'directory',
      `directory:${directory ?? ''}${below === null ? '' : `:${below}`}`,
      directory ?? "the server's own",
    )

  /** In this order for all. */
  function gatesOf({ input, directory, exclusiveBelow }: GatedTask): readonly Gate[] {
    if (input.sessionID === undefined && input.isolation !== 'exclusive') return NONE
    return [
      ...(input.sessionID === undefined ? [] : [sessionTurn(input.sessionID)]),
      ...(input.isolation === 'exclusive' ? [directoryTurn(directory, exclusiveBelow)] : []),
    ]
  }

  function allGatesOf(record: TaskRecord): readonly Gate[] {
    const more = moreGates?.(record) ?? NONE
    const own = gatesOf(record)
    return more.length === 0 ? own : [...own, ...more]
  }

  return {
    ...createGatekeeper({ gatesOf: allGatesOf }),
    wake,
    sessionTurn,
    /** The ids of the sessions in whose lines anybody is. One round trip. */
    async busySessions(): Promise<string[]> {
      const names = await redis.smembers(keys.gateLines)
      return names.flatMap((name) => (name.startsWith(SESSION) ? [name.slice(SESSION.length)] : []))
    },
    /** Once in a while, since a process that dies says no word: see `Turnstile.look`. */
    async look(): Promise<void> {
      const names = await redis.smembers(keys.gateLines)
      for (let from = 0; from < names.length; from += PIECE) {
        const some = names.slice(from, from + PIECE)
        const looks = some.map((name) =>
          turn(name.startsWith(SESSION) ? 'session' : 'directory', name).look(),
        )
        await Promise.all(looks)
      }
    },
  }
}
