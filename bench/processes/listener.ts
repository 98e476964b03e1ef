/** A client that follows many tasks, each over a connection of its own, and says how late it hears of each delta. */
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { answerQuestions } from '../bench-process.ts'
import { clockMs } from '../clock.ts'
import { ownCpuMicros } from '../cpu-time.ts'
import { percentile } from '../statistics.ts'
import { createTape, type Tape } from '../tape.ts'

interface Recording {
  tape: Tape
  ended: Promise<unknown>
}

export interface Heard {
  p50Ms: number
  p99Ms: number
  firstP50Ms: number
  firstP99Ms: number
  deltas: number
  /** Not heard, heard twice, or out of order. */
  lost: number
}

let recordings: Recording[] = []

/** Resolves when each connection has told all that is in its log so far: the question was sent. */
async function follow({ url, ids }: { url: string; ids: string[] }): Promise<void> {
  const following = ids.map(async (id): Promise<Recording> => {
    const request = get(`${url}/v1/tasks/${id}/events`, { agent: false })
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    if (response.statusCode !== 200) throw new Error(`Cannot follow ${id}: ${response.statusCode}`)
    const tape = createTape()
    const { promise: isLive, resolve } = Promise.withResolvers<void>()
    let wasSent = false
    response.on('data', (chunk: Buffer) => {
      tape.record(clockMs(), chunk)
      if (wasSent || !chunk.includes('event: message-sent\n')) return
      wasSent = true
      resolve()
    })
    const ended = once(response, 'end')
    await Promise.race([isLive, ended])
    return { tape, ended }
  })
  recordings = await Promise.all(following)
}

/** When all tasks are over. `deltas`: of each. */
async function heard({ deltas }: { deltas: number }): Promise<Heard> {
  await Promise.all(recordings.map(({ ended }) => ended))
  const streams = recordings.map(({ tape }) => deltasIn(tape.play()))
  const late = streams.flatMap((stream) => stream.map(({ lateMs }) => lateMs))
  const first = streams.flatMap((stream) => (stream[0] ? [stream[0].lateMs] : []))
  return {
    p50Ms: percentile(late, 50),
    p99Ms: percentile(late, 99),
    firstP50Ms: percentile(first, 50),
    firstP99Ms: percentile(first, 99),
    deltas: late.length,
    lost: streams.reduce((sum, stream) => sum + wrongIn(stream, deltas), 0),
  }
}

interface Delta {
  index: number
  lateMs: number
}

function deltasIn(chunks: ReturnType<Tape['play']>): Delta[] {
  const found: Delta[] = []
  let rest = ''
  for (const [at, chunk] of chunks) {
    const frames = (rest + chunk).split('\n\n')
    rest = frames.pop()!
    for (const frame of frames) {
      const data = /^event: text-delta\ndata: (.+)$/m.exec(frame)?.[1]
      if (data === undefined) continue
      const { text } = JSON.parse(data) as { text: string }
      for (const stamp of text.split(';').slice(0, -1)) {
        const [index, dueAt] = stamp.split(' ').map(Number) as [number, number]
        found.push({ index, lateMs: at - dueAt })
      }
    }
  }
  return found
}

function wrongIn(stream: readonly Delta[], deltas: number): number {
  const misplaced = stream.filter(({ index }, position) => index !== position).length
  return misplaced + Math.max(0, deltas - stream.length)
}

const handlers = answerQuestions({ follow, heard, cpuMicros: () => ownCpuMicros() }, async () => {})
export type ListenerHandlers = typeof handlers
