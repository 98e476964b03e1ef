/** A server of sessions whose models all speak at a steady pace, and say in each delta when they did. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { SessionBackend, Turn, TurnEvent } from '../src/sessions/backend.ts'
import { clockMs } from './clock.ts'
import { createNoopBackend } from './noop-backend.ts'

export interface Beat {
  /** One more stream begins each so many milliseconds. */
  startEveryMs: number
  /** Of one stream. */
  deltaEveryMs: number
  deltas: number
}

export interface Metronome {
  backend: SessionBackend
  /** Resolves when so many turns wait for `begin`. */
  gathered(turns: number): Promise<void>
  /** All turns that wait begin to speak. Resolves when they have said all. */
  begin(beat: Beat): Promise<void>
}

interface Stream {
  nextAt: number
  said: number
  /** What the turn has not told yet. */
  heard: string[]
  wake: () => void
}

const TICK_MS = 1
const LOOK_MS = 20

export function createMetronome(): Metronome {
  const noop = createNoopBackend()
  let waiting: Stream[] = []
  let beat: Beat | undefined

  /**
   * A delta is stamped with when it was due, so that a process that is too slow cannot hide it:
   * `12 345678.901;` is delta 12.
   */
  function speak(stream: Stream, { deltas, deltaEveryMs }: Beat, now: number): void {
    if (stream.nextAt > now || stream.said === deltas) return
    for (; stream.nextAt <= now && stream.said < deltas; stream.said += 1) {
      stream.heard.push(`${stream.said} ${stream.nextAt.toFixed(3)};`)
      stream.nextAt += deltaEveryMs
    }
    stream.wake()
  }

  async function* runTurn(turn: Turn): AsyncGenerator<TurnEvent> {
    const partID = `prt_${turn.messageID}`
    const stream: Stream = { nextAt: 0, said: 0, heard: [], wake: () => {} }
    waiting.push(stream)
    let text = ''
    while (beat === undefined || stream.said < beat.deltas || stream.heard.length > 0) {
      const delta = stream.heard.shift()
      if (delta === undefined) {
        await new Promise<void>((resolve) => {
          stream.wake = resolve
        })
        continue
      }
      yield { type: 'text', kind: 'text', partID, offset: text.length, text: delta }
      text += delta
    }
    yield { type: 'part-ended', kind: 'text', partID, text }
    const spent = { spendings: [], steps: 1 }
    yield {
      type: 'turn-ended',
      outcome: { status: 'finished', finish: 'stop', text, model: turn.model, ...spent },
    }
  }

  return {
    backend: { ...noop, runTurn },
    async gathered(turns) {
      while (waiting.length < turns) await sleep(LOOK_MS)
      beat = undefined
    },
    async begin(asked) {
      const streams = waiting
      waiting = []
      beat = asked
      const startAt = clockMs() + TICK_MS
      for (const [index, stream] of streams.entries()) stream.nextAt = startAt + index * asked.startEveryMs
      while (streams.some(({ said }) => said < asked.deltas)) {
        const now = clockMs()
        for (const stream of streams) speak(stream, asked, now)
        await sleep(TICK_MS)
      }
    },
  }
}
