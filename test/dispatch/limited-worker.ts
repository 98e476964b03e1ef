/**
 * A worker process whose turns are counted in Redis, by their messages: a turn that a killed worker leaves behind goes
 * on, as it does in OpenCode. Each ends when the test lets one end. Arguments: URL of Redis, namespace.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { connectRedis } from '../../src/redis/connect.ts'
import { createKeys } from '../../src/redis/keys.ts'
import type { Turn, TurnEvent } from '../../src/sessions/backend.ts'
import { ENDS, LIMITED, RUNNING } from './limited-table.ts'
import { serveAsWorker } from './serve-as-worker.ts'

const BEGIN = `
redis.call('SADD', KEYS[1], ARGV[1])
local now = redis.call('SCARD', KEYS[1])
if now > tonumber(redis.call('GET', KEYS[2]) or 0) then redis.call('SET', KEYS[2], now) end`

const LOOK_MS = 10

const [redisUrl = '', namespace = ''] = process.argv.slice(2)
const { root } = createKeys(namespace)
const redis = await connectRedis(redisUrl, { name: 'counter', whenAway: 'wait', root })

async function* runTurn({ messageID, model }: Turn): AsyncGenerator<TurnEvent> {
  await redis.eval(BEGIN, 2, `${root}:${RUNNING}`, `${root}:most`, messageID)
  while ((await redis.rpop(`${root}:${ENDS}`)) === null) await delay(LOOK_MS)
  await redis.srem(`${root}:${RUNNING}`, messageID)
  yield {
    type: 'turn-ended',
    outcome: { status: 'finished', finish: 'stop', text: 'Done', model, spendings: [], steps: 1 },
  }
}

await serveAsWorker({ redisUrl, namespace }, LIMITED, runTurn)
