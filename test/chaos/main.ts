/** `npm run chaos -- [--seed N] [--tasks N] [--scale X] [--plan]`: breaks a running tierline, and checks what it promised. */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { processesOf } from '../setup/processes.ts'
import { check } from './check.ts'
import { createPlan } from './plan.ts'
import { describe, runPlan } from './run-plan.ts'
import { openStage } from './stage.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    tasks: { type: 'string', default: '1000' },
    scale: { type: 'string', default: '1' },
    plan: { type: 'boolean', default: false },
  },
})
const seed = Number(values.seed ?? randomInt(1, 1_000_000))
const plan = createPlan({ seed, tasks: Number(values.tasks), scale: Number(values.scale) })
console.log(`seed ${seed}: ${plan.tasks.length} tasks, ${plan.faults.length} faults`)
if (values.plan) {
  for (const { afterTasks, fault } of plan.faults) console.log(`after ${afterTasks}: ${describe(fault)}`)
  process.exit()
}

const stage = await openStage()
let last = 0
const report = await runPlan(plan, stage, ({ tasksOver, tasks, faultsDone, faults, now }) => {
  if (performance.now() - last < 1_000 && tasksOver < tasks) return
  last = performance.now()
  process.stderr.write(`${tasksOver}/${tasks} tasks over, ${faultsDone}/${faults} faults, now: ${now}\n`)
})
const verdict = check(report.evidence)
const codes = await stage.endTierline()
const { dir } = stage.home
await stage.close()
const left = processesOf(dir)

console.log(
  JSON.stringify(
    {
      seed,
      tasks: plan.tasks.length,
      seconds: Math.round(report.durationMs / 1000),
      kills: report.kills,
      faults: report.faults,
      missed: report.missed,
      requests: report.evidence.ledger.length,
      lostByOpenCode: verdict.lostByOpenCode,
      emptyStrays: verdict.emptyStrays,
      exitCodes: codes,
      processesLeft: left,
      problems: verdict.problems.length,
    },
    null,
    2,
  ),
)
for (const problem of verdict.problems) console.log(problem)
const isWell = verdict.problems.length === 0 && left.length === 0
console.log(isWell ? 'Every promise was kept.' : 'Promises were broken.')
process.exitCode = isWell ? 0 : 1
