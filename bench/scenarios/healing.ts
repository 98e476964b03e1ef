/**
 * How long a cancel takes until the model is told, and how long all is still after a part of it was killed.
 *
 * API, three workers, OpenCode and Redis are processes, as in the chaos run; the model writes a word each 20 ms.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { TaskHandle } from '../../src/client/index.ts'
import { createKeys } from '../../src/redis/keys.ts'
import { WORKERS } from '../../test/chaos/plan.ts'
import { openStage, type Stage } from '../../test/chaos/stage.ts'
import type { Finding, Scenario } from '../scenario.ts'
import { ofRounds } from '../statistics.ts'

/** Some ten seconds of text: longer than any of these takes to heal. */
const LONG = '@words:600 @chunk:20'
const DOWN_MS = 2_000
const CANCELS = 10
const LOOK_MS = 2

export const healing: Scenario = {
  name: 'healing',
  async run({ rounds, progress }) {
    const stage = await openStage()
    try {
      progress('cancel')
      const alone: number[] = []
      const withChild: number[] = []
      for (let index = 0; index < CANCELS; index += 1) {
        alone.push(await cancel(stage, `task-alone-${index}`, `#task-alone-${index} ${LONG}`))
        const marker = `task-${index}-below`
        withChild.push(await cancel(stage, marker, inAChild(marker)))
      }
      const findings = [
        slowest('cancel, until the model is let go', alone),
        slowest('the same where a sub-agent speaks', withChild),
      ]
      for (const part of ['worker', 'opencode', 'redis', 'api'] as const) {
        progress(`kill -9 of ${part}`)
        const still: number[] = []
        for (let round = 0; round < rounds; round += 1)
          still.push(await heal(stage, part, `task-${part}-${round}`))
        const since = part === 'worker' ? 'the kill' : `it is back, ${DOWN_MS / 1000} s later`
        const detail = `from ${since}, to the next event at a reader of the same task`
        findings.push(finding(`kill -9 of ${part}, still for`, still, 10_000, detail))
      }
      return findings
    } finally {
      await stage.close()
    }
  },
}

function inAChild(marker: string): string {
  const call = { description: 'look', subagent_type: 'general', prompt: `#${marker} ${LONG}` }
  return `#${marker}-parent\n@tool task ${JSON.stringify(call)}\n@words:3`
}

/** From the request until the provider sees its reader gone. */
async function cancel({ client, provider }: Stage, marker: string, prompt: string): Promise<number> {
  const task = await client.enqueue({ type: 'lint', prompt })
  const asked = () => provider.ledger.entries({ marker, kind: 'answer' }).at(-1)
  while ((asked()?.text.length ?? 0) < 20) await sleep(LOOK_MS)
  const startedAt = Date.now()
  await task.cancel()
  while (asked()!.endedAt === null) await sleep(LOOK_MS)
  if (!asked()!.aborted) throw new Error(`"${marker}" was not aborted`)
  return asked()!.endedAt! - startedAt
}

/** How long a reader hears nothing of a task, from the kill of its worker or from when another part is back. */
async function heal(
  stage: Stage,
  part: 'worker' | 'opencode' | 'redis' | 'api',
  marker: string,
): Promise<number> {
  const task = await stage.client.enqueue({ type: 'lint', prompt: `#${marker} ${LONG}` })
  let heardAt = Date.now()
  let heard = 0
  const listening = listen(task, () => {
    heardAt = Date.now()
    heard += 1
  })
  while (heard < 8) await sleep(LOOK_MS)
  let backAt = Date.now()
  if (part === 'worker') await killItsWorker(stage, task.id)
  else {
    await (part === 'api' ? stage.killProcess('api') : stage[part === 'redis' ? 'redis' : 'openCode'].kill())
    await sleep(DOWN_MS)
    if (part === 'api') await stage.startProcess('api')
    else if (part === 'redis') await stage.redis.start()
    else await stage.openCode.restart()
    backAt = Date.now()
  }
  const before = heard
  while (heard === before) await sleep(LOOK_MS)
  const stillMs = Math.max(0, heardAt - backAt)
  await task.cancel()
  await listening
  return stillMs
}

async function listen(task: TaskHandle, onEvent: () => void): Promise<void> {
  for await (const _ of task.events()) onEvent()
}

/** Its record says who has it; the process starts again at once, but another one may be quicker. */
async function killItsWorker(stage: Stage, id: string): Promise<void> {
  const redis = new Redis(stage.redis.urlAt(stage.redis.port))
  const name = await redis.hget(createKeys('chaos').task(id), 'worker')
  redis.disconnect()
  const who = WORKERS.find((worker) => name!.includes(String(stage.pid(worker))))
  if (who === undefined) throw new Error(`Nobody of ${WORKERS.join(', ')} is "${name}"`)
  await stage.killProcess(who)
  await stage.startProcess(who)
}

/** A promise to everybody is judged by the one it took longest for. */
function slowest(measure: string, values: readonly number[]): Finding {
  const found = finding(measure, values, 1_000, `the slowest of ${values.length}`)
  return { ...found, value: found.spread[1] }
}

function finding(measure: string, values: readonly number[], atMost: number, detail: string): Finding {
  return { measure, ...ofRounds(values), unit: 'ms', target: { atMost }, detail }
}
