/**
 * A worker process whose turns are billed in a directory, a file for each step: a turn that a killed worker leaves
 * behind is billed and not billed again, as in OpenCode. Arguments: URL of Redis, namespace, directory, turns that there
 * is room for.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Spending, Turn, TurnEvent } from '../../src/sessions/backend.ts'
import { NO_USAGE } from '../../src/tasks/usage.ts'
import { budgeted, STEP_COST, STEP_MS, STEPS } from './budgeted-table.ts'
import { serveAsWorker } from './serve-as-worker.ts'

const [redisUrl = '', namespace = '', bill = '', room = ''] = process.argv.slice(2)
let turns = 0

async function* runTurn({ messageID, model }: Turn): AsyncGenerator<TurnEvent> {
  // They end one after the other, so that something ends whenever something is killed.
  const stepMs = STEP_MS * (1 + (turns++ % 10))
  const usage = { ...NO_USAGE, inputTokens: 10 * STEP_COST }
  const spendings: Spending[] = []
  for (let steps = 1; steps <= STEPS; steps++) {
    const id = `${messageID}-${steps}`
    writeFileSync(join(bill, id), String(STEP_COST))
    await delay(stepMs)
    const goesOn = steps < STEPS
    spendings.push({ id, model, usage, costMicroUsd: STEP_COST, isEstimated: false })
    yield { type: 'spent', spendings: [...spendings], goesOn }
    yield { type: 'step', steps, goesOn }
  }
  yield {
    type: 'turn-ended',
    outcome: { status: 'finished', finish: 'stop', text: 'Done', model, spendings, steps: STEPS },
  }
}

await serveAsWorker({ redisUrl, namespace }, budgeted(Number(room)), runTurn)
