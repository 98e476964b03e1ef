/** `npm run bench`: measures, prints a table, and keeps it in the README. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { allocateYoung } from '../src/runtime/allocate-young.ts'
import { describeMachine } from './machine.ts'
import { type BenchOptions, parseOptions, USAGE } from './options.ts'
import { renderTable, writeResults } from './report.ts'
import { type Finding, isMet, type Scenario } from './scenario.ts'
import { embedded } from './scenarios/embedded.ts'
import { enqueue } from './scenarios/enqueue.ts'
import { firstToken } from './scenarios/first-token.ts'
import { healing } from './scenarios/healing.ts'
import { limits } from './scenarios/limits.ts'
import { relay } from './scenarios/relay.ts'
import { restSubmit } from './scenarios/rest-submit.ts'
import { route } from './scenarios/route.ts'
import { sessionApi } from './scenarios/session-api.ts'
import { wholePath } from './scenarios/whole-path.ts'
import { startRedis } from './start-redis.ts'
import { ROUTING_TABLE } from './workload.ts'

const SCENARIOS: readonly Scenario[] = [
  enqueue,
  restSubmit,
  wholePath,
  route,
  firstToken,
  relay,
  embedded,
  sessionApi,
  healing,
  limits,
]

const progress = (sentence: string) => void process.stderr.write(`${sentence}\n`)

/** Gives the findings and, in words, the machine they hold for. */
async function measure({ only, rounds, engine }: BenchOptions): Promise<[Finding[], string]> {
  const load = loadavg()
  const directory = mkdtempSync(join(tmpdir(), 'tierline-bench-'))
  try {
    const config = join(directory, 'tierline.yaml')
    writeFileSync(config, ROUTING_TABLE)
    const { url, redis, description, stop } = await startRedis(directory, engine)
    try {
      const findings: Finding[] = []
      for (const scenario of SCENARIOS.filter(({ name }) => only?.includes(name) ?? true)) {
        progress(`${scenario.name} …`)
        const place = { redisUrl: url, directory, config }
        findings.push(...(await scenario.run({ place, redis, rounds, progress })))
        await redis.flushall('SYNC')
      }
      return [findings, `${describeMachine(description, load, new Date())}\n- medians of ${rounds} rounds`]
    } finally {
      await stop()
    }
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  }
}

let options: BenchOptions
try {
  options = parseOptions(
    process.argv.slice(2),
    SCENARIOS.map(({ name }) => name),
  )
} catch (error) {
  progress(`${(error as Error).message}\n${USAGE}`)
  process.exit(2)
}
// Workers run in this process too, ours and bare ones.
allocateYoung()
const [findings, machine] = await measure(options)
const text = `${machine}\n\n${renderTable(findings)}`
process.stdout.write(`${text}\n`)
// Part of a run would drop the rest of the last one.
if (options.only === undefined) writeResults(new URL('./README.md', import.meta.url), text)
if (options.fail && !findings.every(isMet)) process.exitCode = 1
