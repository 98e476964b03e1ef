/**
 * A worker process whose turns are billed in Redis, by their messages: a turn that a killed worker leaves behind is billed
 * and not sent again, as in OpenCode. Arguments: URL of Redis, namespace.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { createOrchestrator } from '../../src/orchestrator.ts'
import { connectRedis } from '../../src/redis/connect.ts'
import { createKeys } from '../../src/redis/keys.ts'
import type { SessionBackend, Turn, TurnEvent } from '../../src/sessions/backend.ts'
import { NO_USAGE } from '../../src/tasks/usage.ts'
import { createMemoryBackend } from '../doubles/memory-backend.ts'
import { createMemoryConfig } from '../doubles/memory-config.ts'
import { BILL, BUDGETED, TURN_COST, TURN_MS } from './budgeted-table.ts'

const [redisUrl = '', namespace = ''] = process.argv.slice(2)
const { root } = createKeys(namespace)
const redis = await connectRedis(redisUrl, { name: 'bill', whenAway: 'wait' })
const memory = createMemoryBackend()

async function* runTurn({ messageID, model }: Turn): AsyncGenerator<TurnEvent> {
  await redis.hset(`${root}:${BILL}`, messageID, TURN_COST)
  await delay(TURN_MS)
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
config.swap(BUDGETED)
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
