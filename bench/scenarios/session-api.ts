/** OpenCode's API through tierline: messages as tasks, what is passed on, and sessions with messages that wait. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createKeys } from '../../src/redis/keys.ts'
import { startProcess } from '../bench-process.ts'
import { countCommands } from '../count-commands.ts'
import { openTierline } from '../open-tierline.ts'
import type { ApiHandlers } from '../processes/api.ts'
import type { AskerHandlers } from '../processes/asker.ts'
import type { BareAnswerHandlers } from '../processes/bare-answer.ts'
import type { BareWorkerHandlers } from '../processes/bare-worker.ts'
import type { InstantHandlers } from '../processes/instant.ts'
import type { Bench, Finding, Scenario } from '../scenario.ts'
import { ofRounds, percentile } from '../statistics.ts'

const SESSIONS = 10
const MESSAGES = 100
/** Of each session, where they send at a pace: 200 a second in all. */
const EVERY_MS = 50
/** Of each session before anything counts: p50 falls by a fifth until V8 has compiled what is hot, some 12,000 messages. */
const WARM_UP = 1_500
const WAITING_SESSIONS = 500
const MESSAGES_EACH = 5
const LOOK_MS = 20
const BARE = { queue: 'messages', channel: 'answers' }
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
  const bareAnswer = startProcess<BareAnswerHandlers>('bare-answer')
  const bareWorker = startProcess<BareWorkerHandlers>('bare-worker')
  const asker = startProcess<AskerHandlers>('asker')
  const tierline = await openTierline(place, 'sessions')
  try {
    const direct = await instant.ask('start', undefined)
    const ours = await api.ask('start', { ...place, namespace: 'sessions' })
    const through = await passing.ask('start', { ...place, namespace: 'passing', opencodeUrl: direct.url })
    const least = await bareAnswer.ask('start', { ...place, ...BARE })
    await bareWorker.ask('start', { ...place, ...BARE })
    await tierline.startWorker()
    const sessions = Array.from({ length: SESSIONS }, (_, index) => `/session/ses_${index}`)
    const send = (url: string, { among = sessions, count = MESSAGES, everyMs = 0 } = {}) => {
      const paths = among.map((path) => `${path}/message`)
      return asker.ask('ask', { url, method: 'POST', paths, body: MESSAGE, count, everyMs })
    }
    const sendPaced = (url: string) => send(url, { everyMs: EVERY_MS })
    const sendAlone = (url: string) => send(url, { among: sessions.slice(0, 1) })
    const read = (url: string) =>
      asker.ask('ask', { url, method: 'GET', paths: ['/session/ses_1/todo'], count: 5 * MESSAGES })
    for (const url of [ours.url, least.url, direct.url]) await send(url, { count: WARM_UP })
    await read(through.url)

    const added: Record<'send50' | 'send99' | 'paced50' | 'alone50' | 'least50' | 'read50', number[]> = {
      send50: [],
      send99: [],
      paced50: [],
      alone50: [],
      least50: [],
      read50: [],
    }
    let detail = ''
    let pacedDetail = ''
    let aloneDetail = ''
    let leastDetail = ''
    let readDetail = ''
    for (let round = 0; round < rounds; round += 1) {
      const [bareSend, sent, queued] = [await send(direct.url), await send(ours.url), await send(least.url)]
      const [barePaced, paced] = [await sendPaced(direct.url), await sendPaced(ours.url)]
      const [bareAlone, alone] = [await sendAlone(direct.url), await sendAlone(ours.url)]
      const [bareRead, passed] = [await read(direct.url), await read(through.url)]
      added.send50.push(percentile(sent, 50) - percentile(bareSend, 50))
      added.send99.push(percentile(sent, 99) - percentile(bareSend, 99))
      added.paced50.push(percentile(paced, 50) - percentile(barePaced, 50))
      added.alone50.push(percentile(alone, 50) - percentile(bareAlone, 50))
      added.least50.push(percentile(queued, 50) - percentile(bareSend, 50))
      added.read50.push(percentile(passed, 50) - percentile(bareRead, 50))
      detail = `${describe(sent)}; a handler that answers at once ${describe(bareSend)}; ${SESSIONS} sessions in parallel`
      pacedDetail = `${describe(paced)}; at once ${describe(barePaced)}; ${SESSIONS} sessions with a message every ${EVERY_MS} ms`
      aloneDetail = `${describe(alone)}; at once ${describe(bareAlone)}; a session with one message after the other`
      leastDetail = `${describe(queued)}: node:http, Queue.add, a bare worker and one PUBLISH in as many processes, without a record`
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
        measure: 'message at a pace, added p50',
        ...ofRounds(added.paced50),
        unit: 'ms',
        detail: pacedDetail,
      },
      { measure: 'message alone, added p50', ...ofRounds(added.alone50), unit: 'ms', detail: aloneDetail },
      { measure: 'bare BullMQ, added p50', ...ofRounds(added.least50), unit: 'ms', detail: leastDetail },
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
    for (const process of [asker, api, passing, instant, bareAnswer, bareWorker]) await process.stop()
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
