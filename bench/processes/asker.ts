/** A client that asks one thing after the other on several connections, and says how long each answer took. */
import { setTimeout as sleep } from 'node:timers/promises'
import { answerQuestions } from '../bench-process.ts'
import { ownCpuMicros } from '../cpu-time.ts'
import { openLane, requestText } from '../http-lane.ts'

interface Ask {
  url: string
  method: 'GET' | 'POST'
  /** One for each connection. */
  paths: readonly string[]
  body?: unknown
  /** Requests on each connection. */
  count: number
  /** From one request of a connection to its next, where the answer is there by then. Default: without a pause. */
  everyMs?: number
}

/** Milliseconds of each request. */
async function ask({ url, method, paths, body, count, everyMs = 0 }: Ask): Promise<number[]> {
  const json = body === undefined ? undefined : JSON.stringify(body)
  const askSome = async (path: string, index: number) => {
    // Not all at once.
    await sleep((index * everyMs) / paths.length)
    const request = requestText(method, url, path, json)
    const lane = openLane(url)
    const took: number[] = []
    try {
      for (let asked = 0; asked < count; asked += 1) {
        const startedAt = performance.now()
        await lane.ask(request, 200)
        const tookMs = performance.now() - startedAt
        took.push(tookMs)
        if (tookMs < everyMs) await sleep(everyMs - tookMs)
      }
    } finally {
      lane.close()
    }
    return took
  }
  return (await Promise.all(paths.map(askSome))).flat()
}

const handlers = answerQuestions({ ask, cpuMicros: () => ownCpuMicros() }, async () => {})
export type AskerHandlers = typeof handlers
