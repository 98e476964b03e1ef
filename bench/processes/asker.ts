/** A client that asks one thing after the other on several connections, and says how long each answer took. */
import { Agent, request } from 'node:http'
import { answerQuestions } from '../bench-process.ts'
import { ownCpuMicros } from '../cpu-time.ts'

interface Ask {
  url: string
  method: 'GET' | 'POST'
  /** One for each connection. */
  paths: readonly string[]
  body?: unknown
  /** Requests on each connection. */
  count: number
}

/** Milliseconds of each request. */
async function ask({ url, method, paths, body, count }: Ask): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: paths.length })
  const text = body === undefined ? undefined : JSON.stringify(body)
  const headers = text && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
  const once = (path: string) =>
    new Promise<number>((resolve, reject) => {
      const startedAt = performance.now()
      request(url + path, { method, agent, ...(headers && { headers }) })
        .on('response', (response) => {
          if (response.statusCode !== 200)
            reject(new Error(`${method} ${path} answered ${response.statusCode}`))
          response.resume().on('end', () => resolve(performance.now() - startedAt))
        })
        .on('error', reject)
        .end(text)
    })
  try {
    const lanes = paths.map(async (path) => {
      const took: number[] = []
      for (let index = 0; index < count; index += 1) took.push(await once(path))
      return took
    })
    return (await Promise.all(lanes)).flat()
  } finally {
    agent.destroy()
  }
}

const handlers = answerQuestions({ ask, cpuMicros: () => ownCpuMicros() }, async () => {})
export type AskerHandlers = typeof handlers
