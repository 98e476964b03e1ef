/**
 * A worker process whose turns are billed in a directory, a file for each message: a turn that a killed worker leaves
 * behind is billed and not sent again, as in OpenCode. Arguments: URL of Redis, namespace, directory, turns that there
 * is room for.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createOrchestrator } from '../../src/orchestrator.ts'
import type { SessionBackend, Turn, TurnEvent } from '../../src/sessions/backend.ts'
import { NO_USAGE } from '../../src/tasks/usage.ts'
import { createMemoryBackend } from '../doubles/memory-backend.ts'
import { createMemoryConfig } from '../doubles/memory-config.ts'
import { budgeted, TURN_COST, TURN_MS } from './budgeted-table.ts'

const [redisUrl = '', namespace = '', bill = '', room = ''] = process.argv.slice(2)
const memory = createMemoryBackend()
let turns = 0

async function* runTurn({ messageID, model }: Turn): AsyncGenerator<TurnEvent> {
  writeFileSync(join(bill, messageID), String(TURN_COST))
  // They end one after the other, so that something ends whenever something is killed.
  await delay(TURN_MS * (1 + (turns++ % 10)))
  const usage = { ...NO_USAGE, inputTokens: 10 * TURN_COST }
  const spendings = [{ id: messageID, model, usage, costMicroUsd: TURN_COST, isEstimated: false }]
  yield {
    type: 'turn-ended',
    outcome: { status: 'finished', finish: 'stop', text: 'Done', model, spendings, steps: 1 },
  }
}

const backend: SessionBackend = {
  ...memory,
  runTurn,
  findSession: async (sessionID) => ({ sessionID, directory: undefined, parentID: undefined, metadata: {} }),
}
const config = createMemoryConfig()
config.swap(budgeted(Number(room)))
const orchestrator = await createOrchestrator({
  ...{ redisUrl, namespace, backends: [backend], config },
  checkDirectory: async (directory) => directory,
  checkFile: async (url) => url,
  checkRepository: async () => {},
  log: { info() {}, warn() {} },
})
await orchestrator.startWorker()
process.on('disconnect', () => process.exit())
process.send!('ready')
