/** Runs a plan on a stage and gathers the evidence. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Task } from '../../src/client/index.ts'
import { type Evidence, type Money, type Outage, straysOf, type TaskEvidence } from './check.ts'
import { type Followed, follow } from './follow.ts'
import { inflict } from './inflict.ts'
import type { Fault, Plan } from './plan.ts'
import type { Stage } from './stage.ts'
import type { ChaosTask } from './tasks.ts'

export interface RunReport {
  evidence: Evidence
  /** Faults by name, as they were carried out. */
  faults: Record<string, number>
  kills: number
  missed: number
  durationMs: number
}

export interface Progress {
  tasksOver: number
  tasks: number
  faultsDone: number
  faults: number
  now: string
}

/** Nothing was over for so long, with all faults healed: what is not over by then never will be. */
const STUCK_MS = 180_000

const REPLAY_MS = 10_000

/** Tasks under way at a time: enough to keep every worker busy. */
const WIDTH = 40
/** How many faults the tasks may run ahead of. */
const AHEAD = 2

export async function runPlan(
  plan: Plan,
  stage: Stage,
  onProgress: (progress: Progress) => void,
): Promise<RunReport> {
  const startedAt = Date.now()
  const outages: Outage[] = []
  const faults: Record<string, number> = {}
  let kills = 0
  let missed = 0
  let over = 0
  let done = 0
  let started = 0
  let waiters: { isTrue(): boolean; resolve(): void }[] = []
  let now = 'starting'
  const report = () =>
    onProgress({
      tasksOver: over,
      tasks: plan.tasks.length,
      faultsDone: done,
      faults: plan.faults.length,
      now,
    })

  const stuck = new AbortController()
  let watchdog: NodeJS.Timeout | undefined
  const watch = () => {
    clearTimeout(watchdog)
    watchdog = setTimeout(() => stuck.abort(), STUCK_MS)
  }
  watch()

  const until = (isTrue: () => boolean) =>
    isTrue() ? Promise.resolve() : new Promise<void>((resolve) => waiters.push({ isTrue, resolve }))
  const onChange = () => {
    watch()
    const ready = waiters.filter(({ isTrue }) => isTrue())
    waiters = waiters.filter((waiter) => !ready.includes(waiter))
    for (const { resolve } of ready) resolve()
    report()
  }
  /** The faults that come soon shall find tasks under way. */
  const mayStart = () => started < (plan.faults[done + AHEAD]?.afterTasks ?? Number.POSITIVE_INFINITY) + WIDTH

  const gathered: { planned: ChaosTask; id: string; live: Followed }[] = []
  const queue = [...plan.tasks]
  const lane = async () => {
    for (let planned = queue.shift(); planned !== undefined; planned = queue.shift()) {
      await until(mayStart)
      started += 1
      gathered.push(await runTask(planned, stage, stuck.signal))
      over += 1
      onChange()
    }
  }

  const breakThings = async () => {
    for (const { afterTasks, fault } of plan.faults) {
      await until(() => over >= afterTasks)
      now = describe(fault)
      report()
      const from = Date.now()
      const outcome = await inflict(fault, stage)
      const what = outageOf(fault)
      if (what !== undefined) outages.push({ what, from, to: Date.now() + 5_000 })
      if (outcome === 'missed') missed += 1
      else {
        faults[fault.do] = (faults[fault.do] ?? 0) + 1
        if (fault.do === 'kill' || fault.do === 'kill at') kills += 1
      }
      done += 1
      now = 'healing'
      onChange()
    }
  }

  await Promise.all([breakThings(), ...Array.from({ length: WIDTH }, lane)])
  clearTimeout(watchdog)
  return {
    evidence: await gather(gathered, stage, outages),
    faults,
    kills,
    missed,
    durationMs: Date.now() - startedAt,
  }
}

/** Submits it, reads it to its end, and cancels it if that is planned. */
async function runTask(
  planned: ChaosTask,
  { client }: Stage,
  signal: AbortSignal,
): Promise<{ planned: ChaosTask; id: string; live: Followed }> {
  const { id } = await patiently(() => client.enqueue({ ...planned.input, idempotencyKey: planned.marker }))
  const cancelling =
    planned.cancelAfterMs === undefined
      ? undefined
      : sleep(planned.cancelAfterMs).then(() => patiently(() => client.cancel(id)))
  const live = await follow(client, id, signal)
  // With all that breaks it may come when the task is over, and its answer says so.
  const isTooLate = (await cancelling)?.state === 'succeeded'
  const mayEnd = isTooLate ? [...planned.mayEnd, 'succeeded' as const] : planned.mayEnd
  return { planned: { ...planned, mayEnd }, id, live }
}

async function gather(
  gathered: { planned: ChaosTask; id: string; live: Followed }[],
  { client, provider, openCode }: Stage,
  outages: Outage[],
): Promise<Evidence> {
  const tasks: TaskEvidence[] = []
  for (const one of gathered) {
    const task = await patiently(() => client.get(one.id))
    tasks.push({ ...one, task, replay: await follow(client, one.id, AbortSignal.timeout(REPLAY_MS)) })
  }
  const submitted = new Set(gathered.map(({ id }) => id))
  const listed: Task[] = []
  for (let cursor: string | undefined, more = true; more; ) {
    const page = await client.list({ limit: 200, ...(cursor && { cursor }) })
    listed.push(...page.data)
    cursor = page.nextCursor ?? undefined
    more = cursor !== undefined
  }
  return {
    tasks,
    ledger: provider.ledger.entries(),
    outages,
    sessions: await sessionsOnceSwept(openCode, tasks),
    spent: { byTasks: moneyOf(listed), byLedger: (await patiently(() => client.costs())).total },
    budgets: await budgetsOnceSettled(client),
    unknownTasks: listed.filter(({ id }) => !submitted.has(id)).map(({ id }) => id),
  }
}

function moneyOf(tasks: readonly Task[]): Money {
  const sum = (of: (task: Task) => number): number => tasks.reduce((total, task) => total + of(task), 0)
  return {
    costMicroUsd: sum((task) => task.costMicroUsd),
    costEstimatedMicroUsd: sum((task) => task.costEstimatedMicroUsd),
  }
}

/** The maintenance settles within ten seconds what a worker that was killed did not, once one is elected. */
const SETTLE_PATIENCE_MS = 90_000

async function budgetsOnceSettled(client: Stage['client']): Promise<Evidence['budgets']> {
  for (const deadline = Date.now() + SETTLE_PATIENCE_MS; ; await sleep(1_000)) {
    const budgets = await patiently(() => client.budgets())
    if (budgets.every(({ reservedMicroUsd }) => reservedMicroUsd === 0) || Date.now() > deadline)
      return budgets
  }
}

interface WireSession {
  id: string
  parentID?: string
  metadata?: { tierline?: { taskID?: string } }
}

/** Maintenance removes strays when they are a minute old, and looks once a minute. */
const SWEEP_PATIENCE_MS = 200_000

async function sessionsOnceSwept(
  openCode: Stage['openCode'],
  tasks: readonly TaskEvidence[],
): Promise<Evidence['sessions']> {
  for (const deadline = Date.now() + SWEEP_PATIENCE_MS; ; await sleep(2_000)) {
    const sessions = await sessionsOf(openCode)
    if (straysOf({ sessions, tasks }).length === 0 || Date.now() > deadline) return sessions
  }
}

async function sessionsOf({ url, username, password }: Stage['openCode']): Promise<Evidence['sessions']> {
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  const get = async <Body>(path: string) =>
    (await (await fetch(`${url}${path}`, { headers: { authorization } })).json()) as Body
  const sessions = await get<WireSession[]>('/session?limit=100000')
  return Promise.all(
    sessions.map(async ({ id, parentID, metadata }) => ({
      id,
      parentID,
      taskID: metadata?.tierline?.taskID,
      messages: (await get<unknown[]>(`/session/${id}/message?limit=2`)).length,
    })),
  )
}

/** As a producer would: again, until it is taken. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if ((error as { retryable?: boolean }).retryable !== true) throw error
      await sleep(200)
    }
  }
}

function outageOf(fault: Fault): Outage['what'] | undefined {
  if (fault.do === 'kill' && fault.who === 'opencode') return 'opencode killed'
  if ('link' in fault && fault.link === 'opencode->provider') return 'opencode cut off from its provider'
  return undefined
}

export function describe(fault: Fault): string {
  const { do: what, ...rest } = fault
  return `${what} ${Object.values(rest).join(' ')}`
}
