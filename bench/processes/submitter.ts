/** A client that submits as fast as the server answers. */
import { answerQuestions } from '../bench-process.ts'
import { ownCpuMicros } from '../cpu-time.ts'
import { openLane, requestText } from '../http-lane.ts'

interface Submit {
  url: string
  body: unknown
  count: number
  /** Connections, each with one request under way. */
  width: number
}

async function submit({ url, body, count, width }: Submit): Promise<{ cpuMicros: number }> {
  const request = requestText('POST', url, '/v1/tasks', JSON.stringify(body))
  const startedAt = ownCpuMicros()
  let left = count
  const submitSome = async () => {
    const lane = openLane(url)
    try {
      while (left-- > 0) await lane.ask(request, 202)
    } finally {
      lane.close()
    }
  }
  await Promise.all(Array.from({ length: width }, submitSome))
  return { cpuMicros: ownCpuMicros() - startedAt }
}

const handlers = answerQuestions({ submit }, async () => {})
export type SubmitterHandlers = typeof handlers
