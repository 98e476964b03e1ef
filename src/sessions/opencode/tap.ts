/** The reader of the tap: where tierline started the server, the text of open parts from their beginning. */
import { z } from 'zod'
import { basicAuth } from './basic-auth.ts'

const Line = z.union([
  z.object({ partID: z.string(), offset: z.int(), text: z.string() }),
  z.object({ ready: z.literal(true) }),
])

export type TapNotice =
  /** Text of an open part, with its place: first all there was, then what comes. */
  | { type: 'tapped'; partID: string; offset: number; text: string }
  /** All that was open has been told. */
  | { type: 'tap-ready' }
  /** Nothing more comes. */
  | { type: 'tap-failed' }

export interface Tap {
  /** Follows the open parts of a session until the returned function is called. Never throws. */
  follow(sessionID: string, listener: (notice: TapNotice) => void): () => void
}

/** One that says nothing for so long is not waited for. */
const ANSWER_MS = 2_000

export function createTap(url: string, login: { username: string; password: string | undefined }): Tap {
  const authorization = basicAuth(login.username, login.password ?? '')

  async function read(
    sessionID: string,
    signal: AbortSignal,
    listener: (notice: TapNotice) => void,
  ): Promise<void> {
    const { body, ok } = await fetch(`${url}/session/${sessionID}`, { headers: { authorization }, signal })
    if (!ok || !body) return
    let rest = ''
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop()!
      for (const text of lines) {
        const told = Line.parse(JSON.parse(text))
        listener('ready' in told ? { type: 'tap-ready' } : { type: 'tapped', ...told })
      }
    }
  }

  return {
    follow(sessionID, listener) {
      const leaving = new AbortController()
      const timer = setTimeout(() => leaving.abort(), ANSWER_MS)
      let isLeft = false
      const fail = () => {
        clearTimeout(timer)
        if (!isLeft) listener({ type: 'tap-failed' })
      }
      read(sessionID, leaving.signal, (notice) => {
        clearTimeout(timer)
        if (!isLeft) listener(notice)
      }).then(fail, fail)
      return () => {
        isLeft = true
        clearTimeout(timer)
        leaving.abort()
      }
    },
  }
}
