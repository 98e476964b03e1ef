/** OpenCode's API through tierline: messages as tasks, what is passed on, and sessions with messages that wait. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createKeys } from '../../src/redis/keys.ts'
import { startProcess } from '../bench-process.ts'
import { countCommands } from '../count-commands.ts'
import { openTierline } from '../open-tierline.ts'
import type { ApiHandlers } from '../processes/api.ts'
import type { AskerHandlers } from '../processes/asker.ts'
import type { InstantHandlers } from '../processes/instant.ts'
import type { Bench, Finding, Scenario } from '../scenario.ts'
import { ofRounds, percentile } from '../statistics.ts'

const SESSIONS = 10
const MESSAGES = 100
const WAITING_SESSIONS = 500
const MESSAGES_EACH = 5
const LOOK_MS = 20
const MESSAGE = { parts: [{ type: 'text', text: 'Hello' }] }

export const sessionApi: Scenario = {
  name: 'session-api',
  async run(bench) {
    return [...(await requests(bench)), ...(await waitingMessages(bench))]
  },
}

async function requests({ place, redis, rounds }: Bench): Promise<Finding[]> {
  const api = startProcess<ApiHandlers>('api')
  const passing = startProcess<ApiHandlers>('api')
  const instant = startProcess<InstantHandlers>('instant')
  const asker = startProcess<AskerHandlers>('asker')
  const tierline = await openTierline(place, 'sessions')
  try {
    const direct = await instant.ask('start', undefined)
    const ours = await api.ask('start', { ...place, namespace: 'sessions' })
    const through = await passing.ask('start', { ...place, namespace: 'passing', opencodeUrl: direct.url })
    await tierline.startWorker()
    const sessions = Array.from({ length: SESSIONS }, (_, index) => `/session/ses_${index}`)
    const send = (url: string) =>
      asker.ask('ask', {
        url,
        method: 'POST',
        paths: sessions.map((path) => `${path}/message`),
        body: MESSAGE,
        count: MESSAGES,
      })
    const read = (url: string) =>
      asker.ask('ask', { url, method: 'GET', paths: ['/session/ses_1/todo'], count: 5 * MESSAGES })
    await Promise.all([send(ours.url), read(through.url)])

    const added: Record<'send50' | 'send99' | 'read50', number[]> = { send50: [], send99: [], read50: [] }
    let detail = ''
    let readDetail = ''
    for (let round = 0; round < rounds; round += 1) {
      const [bareSend, sent] = [await send(direct.url), await send(ours.url)]
      const [bareRead, passed] = [await read(direct.url), await read(through.url)]
      added.send50.push(percentile(sent, 50) - percentile(bareSend, 50))
      added.send99.push(percentile(sent, 99) - percentile(bareSend, 99))
      added.read50.push(percentile(passed, 50) - percentile(bareRead, 50))
      detail = `${describe(sent)}; a handler that answers at once ${describe(bareSend)}; ${SESSIONS} sessions in parallel`
      readDetail = `${describe(passed)}; directly ${describe(bareRead)}`
      await redis.flushall('SYNC')
    }
    return [
      { measure: 'message, added p50', ...ofRounds(added.send50), unit: 'ms', target: { atMost: 5 }, detail },
      {
        measure: 'message, added p99',
        ...ofRounds(added.send99),
        unit: 'ms',
        target: { atMost: 30 },
        detail,
      },
      {
        measure: 'passed on, added p50',
        ...ofRounds(added.read50),
        unit: 'ms',
        target: { atMost: 3 },
        detail: readDetail,
      },
    ]
  } finally {
    await tierline.close()
    for (const process of [asker, api, passing, instant]) await process.stop()
    await redis.flushall('SYNC')
  }
}

/** All messages are there before the first worker is; then it is measured until none is left. */
async function waitingMessages({ place, redis, rounds }: Bench): Promise<Finding[]> {
  const total = WAITING_SESSIONS * MESSAGES_EACH
  const { finished } = createKeys('waiting')
  const commands: number[] = []
  const seconds: number[] = []
  let outOfOrder = 0
  for (let round = 0; round < rounds; round += 1) {
    const tierline = await openTierline(place, 'waiting')
    try {
      const ids: string[][] = Array.from({ length: WAITING_SESSIONS }, () => [])
      const count = countCommands()
      for (let message = 0; message < MESSAGES_EACH; message += 1) {
        const results = await tierline.enqueueMany(
          ids.map((_, session) => ({
            type: 'lint',
            prompt: `Message ${message}`,
            sessionID: `ses_${session}`,
          })),
        )
        for (const [session, result] of results.entries()) {
          if (result.status === 'refused') throw result.error
          ids[session]!.push(result.handle.id)
        }
      }
      const startedAt = performance.now()
      await tierline.startWorker({ tiers: ['fast'] })
      let looks = 1
      for (; (await redis.zcard(finished)) < total; looks += 1) await sleep(LOOK_MS)
      seconds.push((performance.now() - startedAt) / 1000)
      commands.push((count.stop() - looks) / total)
      for (const session of ids) {
        const tasks = await Promise.all(session.map((id) => tierline.task(id).task()))
        for (const [index, task] of tasks.entries())
          if (index > 0 && task.startedAt! < tasks[index - 1]!.finishedAt!) outOfOrder += 1
      }
    } finally {
      await tierline.close()
      await redis.flushall('SYNC')
    }
  }
  const rate = Math.round(total / ofRounds(seconds).value)
  return [
    {
      measure: 'Redis commands per message',
      ...ofRounds(commands),
      unit: 'commands',
      detail: `${WAITING_SESSIONS} sessions with ${MESSAGES_EACH} messages each, all waiting, then emptied: ${rate}/s; each command counts as a round trip though many travel together`,
    },
    {
      measure: 'messages out of order',
      value: outOfOrder,
      spread: [outOfOrder, outOfOrder],
      unit: 'lost',
      target: { atMost: 0 },
      detail: `of ${total * rounds}: begun before the one before it in its session was over`,
    },
  ]
}

function describe(took: readonly number[]): string {
  return `p50 ${percentile(took, 50).toFixed(1)} ms, p99 ${percentile(took, 99).toFixed(1)} ms`
}
