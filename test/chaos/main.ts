/** `npm run chaos`: breaks a running tierline by a plan that a seed gives, and checks what it promised. */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { createPlan } from './plan.ts'
import { describe, type Progress } from './run-plan.ts'
import { runChaos } from './verdict.ts'

const USAGE = `npm run chaos -- [--seed N] [--tasks N] [--scale X] [--engine any|embedded] [--plan]

  --seed    the same seed gives the same plan (default: a new one, which is printed)
  --tasks   how many tasks (default 1000)
  --scale   how many faults; 1 is the full run, some 60 kills and 40 other faults (default 1)
  --engine  which Redis: "any" is the one of the PATH, else the embedded one (default any)
  --plan    prints the faults and ends`

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    tasks: { type: 'string', default: '1000' },
    scale: { type: 'string', default: '1' },
    engine: { type: 'string', default: 'any' },
    plan: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const seed = Number(values.seed ?? randomInt(1, 1_000_000))
const [tasks, scale] = [Number(values.tasks), Number(values.scale)]
if (values.help || ![seed, tasks, scale].every((number) => number > 0)) {
  console.log(USAGE)
  process.exit(values.help ? 0 : 2)
}

const plan = createPlan({ seed, tasks, scale })
console.log(`seed ${seed}: ${plan.tasks.length} tasks, ${plan.faults.length} faults`)
if (values.plan) {
  for (const { afterTasks, fault } of plan.faults)
    console.log(`after ${afterTasks} tasks: ${describe(fault)}`)
  process.exit()
}

let last = 0
const showProgress = ({ tasksOver, tasks, faultsDone, faults, now }: Progress): void => {
  if (performance.now() - last < 1_000) return
  last = performance.now()
  process.stderr.write(`${tasksOver}/${tasks} tasks over, ${faultsDone}/${faults} faults, now: ${now}\n`)
}
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)))
const engine = values.engine === 'embedded' ? 'embedded' : 'any'
const result = await runChaos(plan, { engine, signal: stop.signal }, showProgress).catch((error: Error) => {
  console.error(error.message)
  process.exit(130)
})
const { report, problems } = result
const figures = {
  seed,
  redis: result.redis,
  tasks: plan.tasks.length,
  seconds: Math.round(report.durationMs / 1000),
  kills: report.kills,
  faults: report.faults,
  trapsNobodyRanInto: report.missed,
  modelRequests: report.evidence.ledger.length,
  attempts: report.evidence.tasks.reduce((sum, { task }) => sum + task.attempt, 0),
  paidTwiceSinceOpenCodeLostIt: result.lostByOpenCode,
  paidTwiceSinceTheAnswerWasBroken: result.brokenAndBilled,
  givenUpAfterFiveDeaths: result.givenUp,
  problems: problems.length,
}
console.log(JSON.stringify(figures, null, 2))
for (const problem of problems) console.log(problem)
console.log(problems.length === 0 ? 'Every promise was kept.' : 'Promises were broken.')
// A socket that was broken on purpose may stay half open on our side for minutes.
process.exit(problems.length === 0 ? 0 : 1)
