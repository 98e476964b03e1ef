/** What limits and budgets cost, and what turns between API keys are worth. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Orchestrator } from '../../src/orchestrator.ts'
import { createKeys } from '../../src/redis/keys.ts'
import type { Budget, Caps } from '../../src/routing/table.ts'
import { openBareQueue } from '../bare-queue.ts'
import { countCommands } from '../count-commands.ts'
import { interleave } from '../interleave.ts'
import { createNoopBackend } from '../noop-backend.ts'
import { type CoreOptions, openOrchestrator } from '../open-orchestrator.ts'
import { describeRate, measureRate, type Rate, ratioOf } from '../rate.ts'
import type { Bench, Finding, Scenario } from '../scenario.ts'
import { ofRounds, percentile } from '../statistics.ts'
import { TASK } from '../workload.ts'
import { bareSide } from './whole-path.ts'

const COUNT = 10_000
const IN_FLIGHT = 10
const CONCURRENCY = 50
const BATCH = 500
const LOOK_MS = 5
const NAMESPACE = 'limits'
/** Far away, so that only asking costs. */
const FAR: Caps = { concurrency: 1_000, requestsPerMinute: 1_000_000, tokensPerMinute: 1_000_000_000 }

const BUDGETS = [budgetOf('global'), budgetOf('type:lint'), budgetOf('model:acme/nano')]

const FLOOD = 2_000
const FEW = 100
const TURN_MS = 20

const { queuePrefix } = createKeys(NAMESPACE)

export const limits: Scenario = {
  name: 'limits',
  run: async (bench) => [await commands(bench), ...(await paths(bench)), await fairness(bench)],
}

/** Ten thousand that wait for one of ten slots, against a bare worker with ten: commands by the server's counter. */
async function commands(bench: Bench): Promise<Finding> {
  const { redis, place } = bench
  const sides = {
    async ours() {
      const before = await commandsOf(bench)
      const core = await openCore(bench, { caps: { concurrency: IN_FLIGHT } })
      await fill(core, COUNT)
      const looks = await drain(bench, core)
      return ((await commandsOf(bench)) - before - looks) / COUNT
    },
    async bare() {
      const before = await commandsOf(bench)
      const bare = await openBareQueue(place.redisUrl, 'fast')
      const side = bareSide(bare, IN_FLIGHT)
      await side.fill(COUNT)
      const stop = await side.work()
      let looks = 0
      for (; (await redis.zcard(side.completed)) < COUNT; looks += 1) await sleep(LOOK_MS)
      await stop()
      await bare.close()
      const sent = (await commandsOf(bench)) - before - looks
      await redis.flushall('SYNC')
      return sent / COUNT
    },
  }
  // A count, which does not depend on how busy the machine is.
  const found = await interleave(sides, 1)
  const each = (values: readonly number[]) => ofRounds(values).value.toFixed(1)
  return {
    measure: 'commands at a limit / bare job',
    ...ofRounds(found.ours.map((ours, round) => ours / found.bare[round]!)),
    unit: 'ratio',
    target: { atMost: 3 },
    detail: `${COUNT} wait, ten at a time, submit to end: ${each(found.ours)} for a task, ${each(found.bare)} for a bare job, those inside scripts counted`,
  }
}

/** With limits, with budgets, and with both, against neither; and how many commands each sends for a task. */
async function paths(bench: Bench): Promise<Finding[]> {
  const sent: Record<string, number> = {}
  const side = (name: string, with_: { caps?: Partial<Caps>; budgets?: readonly Budget[] }) => async () => {
    const core = await openCore(bench, with_)
    await fill(core, COUNT)
    const count = countCommands()
    let looks = 0
    const rate = await measureRate(bench.redis, COUNT, async () => {
      looks = await drain(bench, core)
    })
    sent[name] = (count.stop() - looks) / COUNT
    return rate
  }
  const rates: Record<'both' | 'limits' | 'budgets' | 'free', Rate[]> = await interleave(
    {
      both: side('both', { caps: FAR, budgets: BUDGETS }),
      limits: side('limits', { caps: FAR }),
      budgets: side('budgets', { budgets: BUDGETS }),
      free: side('free', {}),
    },
    bench.rounds,
  )
  const finding = (what: 'both' | 'limits' | 'budgets', words: string): Finding => ({
    measure: `whole path with ${words} / without`,
    ...ratioOf(rates[what], rates.free),
    unit: 'ratio',
    target: { atLeast: 0.75 },
    detail: `${describeRate(rates[what])}, ${sent[what]!.toFixed(1)} commands a task; without ${describeRate(rates.free)}, ${sent.free!.toFixed(1)}`,
  })
  return [
    finding('both', 'limits and budgets'),
    finding('limits', 'limits'),
    finding('budgets', 'three budgets'),
  ]
}

/** From submit to start, of a hundred tasks of one key: alone, and behind two thousand of another. */
async function fairness(bench: Bench): Promise<Finding> {
  const side = (flood: number) => async (): Promise<number> => {
    const core = await openCore(bench, { caps: { concurrency: IN_FLIGHT } }, TURN_MS)
    const worker = await core.startWorker()
    await submit(core, 'flood', flood)
    const ids = await submit(core, 'few', FEW)
    const waits: number[] = []
    for (const id of ids) {
      const { startedAt, createdAt } = await core.tasks.whenFinished(id, 600_000, never)
      waits.push(startedAt! - createdAt)
    }
    await worker.close()
    await core.close()
    await bench.redis.flushall('SYNC')
    return percentile(waits, 95)
  }
  const p95 = await interleave({ flooded: side(FLOOD), alone: side(0) }, bench.rounds)
  const each = (values: readonly number[]) => `${Math.round(ofRounds(values).value)} ms`
  return {
    measure: 'wait behind a flood / alone, p95',
    ...ofRounds(p95.flooded.map((wait, round) => wait / p95.alone[round]!)),
    unit: 'ratio',
    target: { atMost: 3 },
    detail: `${FEW} tasks of one key, ${FLOOD} of another before them, ten at a time: ${each(p95.flooded)}, alone ${each(p95.alone)}`,
  }
}

const never = new AbortController().signal

function openCore(
  { place }: Bench,
  limited: Pick<CoreOptions, 'caps' | 'budgets'>,
  turnMs = 0,
): Promise<Orchestrator> {
  const backend = createNoopBackend()
  const { runTurn } = backend
  const slow: typeof runTurn = async function* (turn, signal) {
    await sleep(turnMs)
    yield* runTurn(turn, signal)
  }
  return openOrchestrator(place, {
    ...{ namespace: NAMESPACE, concurrency: CONCURRENCY, takesTurns: turnMs > 0 },
    backend: turnMs === 0 ? backend : { ...backend, runTurn: slow },
    ...limited,
  })
}

async function fill(core: Orchestrator, count: number): Promise<void> {
  for (let left = count; left > 0; left -= BATCH) await submit(core, null, Math.min(left, BATCH))
}

async function submit(core: Orchestrator, key: string | null, count: number): Promise<string[]> {
  const items = await core.tasks.submitMany(
    Array.from({ length: count }, () => TASK),
    key,
  )
  return items.map((item) => {
    if ('problem' in item) throw new Error(item.problem.detail)
    return item.task.id
  })
}

/** How often it had to look. */
async function drain({ redis }: Bench, core: Orchestrator): Promise<number> {
  const worker = await core.startWorker()
  let looks = 0
  for (; (await redis.zcard(`${queuePrefix}:fast:completed`)) < COUNT; looks += 1) await sleep(LOOK_MS)
  await worker.close()
  await core.close()
  await redis.flushall('SYNC')
  return looks
}

async function commandsOf({ redis }: Bench): Promise<number> {
  return Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))![1])
}

/** So much that nobody ever waits for it. */
function budgetOf(scope: string): Budget {
  return {
    ...{ scope, per: 'day', limitMicroUsd: 1_000_000_000_000, timeZone: 'UTC', onExceed: 'reject' },
    ...{ downgradeAtPercent: null, onUnknownPrice: 'reject', place: `bench: ${scope}` },
  }
}
