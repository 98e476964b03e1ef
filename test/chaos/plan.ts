/** Which faults come when, for one seed. Pure: the same seed gives the same plan. */
import { createRandom, type Random } from './random.ts'
import { type ChaosTask, planTasks } from './tasks.ts'

export const WORKERS = ['worker-1', 'worker-2', 'worker-3'] as const
export type Worker = (typeof WORKERS)[number]

/** A TCP connection between two processes, by who opens it and whom it reaches. */
export type LinkName =
  | `${Worker | 'api'}->redis`
  | `${Worker | 'api'}->opencode`
  | 'opencode->provider'
  | 'reader->api'

/** What a worker or the API sends that is a point of no return, or just before one. */
export const COMMIT_POINTS = {
  create: { link: 'redis', what: 'the record of a task' },
  claim: { link: 'redis', what: 'the claim of a task' },
  write: { link: 'redis', what: 'checkpoint, events or end of a task' },
  session: { link: 'opencode', what: 'POST /session' },
  prompt: { link: 'opencode', what: 'the message itself' },
} as const
export type CommitPoint = keyof typeof COMMIT_POINTS

/** `before`: it never leaves. `after`: it arrives, and its answer does not. */
export type Moment = 'before' | 'after'

export type Fault =
  | { do: 'kill'; who: Worker | 'api' | 'opencode' | 'redis'; downMs: number }
  | { do: 'kill at'; who: Worker | 'api'; point: CommitPoint; moment: Moment; nth: number }
  | { do: 'freeze'; who: Worker; forMs: number }
  | { do: 'reset'; link: LinkName }
  | { do: 'black hole' | 'one byte at a time'; link: LinkName; forMs: number }
  | { do: 'one way'; link: LinkName; way: 'up' | 'down'; forMs: number }
  | { do: 'delay'; link: LinkName; byMs: number; forMs: number }

export interface PlannedFault {
  /** Not before that many tasks are over. */
  afterTasks: number
  fault: Fault
}

export interface Plan {
  seed: number
  tasks: readonly ChaosTask[]
  faults: readonly PlannedFault[]
}

const LINKS: readonly LinkName[] = [
  ...WORKERS.map((worker) => `${worker}->redis` as const),
  ...WORKERS.map((worker) => `${worker}->opencode` as const),
  'api->redis',
  'api->opencode',
  'opencode->provider',
  'reader->api',
]

/** A worker's lock is 4 s: a freeze of that length and more makes it a zombie. */
const PAST_THE_LOCK_MS = [5_500, 8_000] as const

/** `scale` 1 is the full run: some 65 kills and 40 other faults. */
export function createPlan({ seed, tasks, scale }: { seed: number; tasks: number; scale: number }): Plan {
  const random = createRandom(seed)
  const planned = planTasks(tasks, random)
  const faults = random.shuffle([
    ...commitPointKills(random, scale),
    ...times(12 * scale, () => kill(random.pick(WORKERS), 0)),
    ...times(6 * scale, () => kill('api', random.int(0, 2_000))),
    ...times(6 * scale, () => kill('opencode', random.int(0, 3_000))),
    ...(scale >= 1 ? [2_000, 2_000, 10_000, 30_000] : [2_000]).map((downMs) => kill('redis', downMs)),
    ...times(8 * scale, () => freeze(random)),
    ...times(30 * scale, () => linkFault(random)),
  ])
  // The last tenth of the tasks runs in peace, so that every fault has somebody to hit.
  const step = (tasks * 0.9) / faults.length
  return {
    seed,
    tasks: planned,
    faults: faults.map((fault, index) => ({ afterTasks: Math.floor(index * step), fault })),
  }
}

/** Each point, before and after, at least once. */
function commitPointKills(random: Random, scale: number): Fault[] {
  const points: [CommitPoint, Moment][] = (Object.keys(COMMIT_POINTS) as CommitPoint[]).flatMap((point) => [
    [point, 'before'],
    [point, 'after'],
  ])
  return times(Math.max(3, Math.ceil(32 * scale)), (index) => {
    const [point, moment] = index < points.length ? points[index]! : random.pick(points)
    return {
      do: 'kill at',
      who: point === 'create' ? 'api' : random.pick(WORKERS),
      point,
      moment,
      nth: point === 'write' ? random.int(1, 40) : random.int(1, 4),
    }
  })
}

function kill(who: Worker | 'api' | 'opencode' | 'redis', downMs: number): Fault {
  return { do: 'kill', who, downMs }
}

function freeze(random: Random): Fault {
  return { do: 'freeze', who: random.pick(WORKERS), forMs: random.int(...PAST_THE_LOCK_MS) }
}

function linkFault(random: Random): Fault {
  const link = random.pick(LINKS)
  const forMs = random.int(1_000, 6_000)
  switch (random.int(0, 4)) {
    case 0:
      return { do: 'reset', link }
    case 1:
      return { do: 'black hole', link, forMs }
    case 2:
      return { do: 'one way', link, way: random.pick(['up', 'down']), forMs }
    case 3:
      return { do: 'delay', link, byMs: random.int(50, 400), forMs }
    default:
      return { do: 'one byte at a time', link, forMs: Math.min(forMs, 2_000) }
  }
}

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: Math.round(count) }, (_, index) => make(index))
}
