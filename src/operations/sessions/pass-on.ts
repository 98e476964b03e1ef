/** What is passed on to OpenCode as it comes, and its answers with what tierline knows better. */
import type { RecordStore } from '../../records/record-store.ts'
import type { ForwardedAnswer, ForwardRequest, SessionBackend } from '../../sessions/backend.ts'
import type { OwnDirectories } from '../own-directories.ts'
import type { TaskGates } from '../task-gates.ts'
import type { LocateSession } from './locate-session.ts'
import { serverOfDirectory } from './server-of-directory.ts'
import type { ShownMessages } from './shown-messages.ts'
import { waitingMessages } from './waiting-messages.ts'

/** How an answer of OpenCode is changed before it is passed on. */
export type Shape = 'session' | 'sessions' | 'messages' | 'status'

/** A request of an OpenCode client that is passed on. */
export interface PassedRequest extends ForwardRequest {
  /** In the path; else the directory says which server it goes to. */
  sessionID?: string | undefined
  /** Real path; `undefined`: the server's own, or the session's. */
  directory?: string | undefined
  query: URLSearchParams
  /** It is about no directory: the server's own need not be allowed. */
  ofServer?: true | undefined
  shape?: Shape | undefined
}

/** `json` where it was changed, else `raw` as it came. */
export type PassedAnswer = { status: number; headers: Readonly<Record<string, string>> } & (
  | { json: unknown }
  | { raw: ForwardedAnswer['body'] }
)

export interface PassOnDeps {
  backends: readonly SessionBackend[]
  records: RecordStore
  gates: TaskGates
  locate: LocateSession
  shown: ShownMessages
  ownDirectories: Pick<OwnDirectories, 'check'>
  /** A session as it is shown. */
  view(session: unknown): unknown
}

/** See the functions it returns. */
export function createPassOn(deps: PassOnDeps) {
  const { backends, records, gates, locate, shown, view, ownDirectories } = deps

  /** Passes a request on to the server of its session, or of its directory. */
  async function pass(request: PassedRequest, signal: AbortSignal): Promise<PassedAnswer> {
    const { sessionID, query, shape, method, path, body } = request
    const { backend, directory } =
      sessionID === undefined
        ? { backend: serverOfDirectory(backends, request.directory), directory: request.directory }
        : await locate(sessionID)
    if (sessionID === undefined && directory === undefined && !request.ofServer)
      await ownDirectories.check(backend, signal)
    const answer = await backend.forward({ method, path: pathWith(path, query, directory), body }, signal)
    return shaped(answer, shape, { sessionID, directory })
  }

  /** For what names neither session nor server: the first server that knows it. */
  async function passToAny(request: PassedRequest, signal: AbortSignal): Promise<PassedAnswer> {
    const { query, directory, method, path, body } = request
    const [first, ...others] = [...backends].sort(
      (a, b) =>
        Number(b === serverOfDirectory(backends, directory)) -
        Number(a === serverOfDirectory(backends, directory)),
    )
    const ask = async (backend: SessionBackend) => {
      if (directory === undefined) await ownDirectories.check(backend, signal)
      return backend.forward({ method, path: pathWith(path, query, directory), body }, signal)
    }
    let answer = await ask(first!)
    for (const backend of others) {
      if (answer.status !== 404) break
      answer.body.resume()
      answer = await ask(backend)
    }
    return shaped(answer)
  }

  async function shaped(
    answer: ForwardedAnswer,
    shape?: Shape,
    where: { sessionID?: string | undefined; directory?: string | undefined } = {},
  ): Promise<PassedAnswer> {
    const { status, headers } = answer
    if (shape === undefined || status !== 200 || !answer.isJson) return { status, headers, raw: answer.body }
    return { status, headers, json: await reshape(await answer.json(), shape, where) }
  }

  async function reshape(
    json: unknown,
    shape: Shape,
    { sessionID, directory }: { sessionID?: string | undefined; directory?: string | undefined },
  ): Promise<unknown> {
    switch (shape) {
      case 'session':
        return view(json)
      case 'sessions':
        return Array.isArray(json) ? json.map(view) : json
      case 'messages':
        return Array.isArray(json) ? withWaiting(json, sessionID!) : json
      case 'status':
        return { ...(json as object), ...(await busyIn(directory)) }
    }
  }

  async function withWaiting(messages: { info?: { id?: string } }[], sessionID: string): Promise<unknown[]> {
    const there = new Set(messages.map(({ info }) => info?.id))
    const all = await waitingMessages({ records, gates }, sessionID)
    const waiting = all.filter(({ info }) => !there.has(info.id))
    for (const { info } of waiting) shown.show(info.id)
    return [...messages, ...waiting]
  }

  /** The sessions of a directory in which a message runs or waits, as OpenCode would say it. */
  async function busyIn(directory: string | undefined): Promise<Record<string, { type: 'busy' }>> {
    const sessions = await gates.busySessions()
    const places = await Promise.all(sessions.map((id) => locate(id).catch(() => undefined)))
    const here = sessions.filter((_, index) => {
      const place = places[index]
      return place !== undefined && (directory === undefined || place.directory === directory)
    })
    return Object.fromEntries(here.map((id) => [id, { type: 'busy' as const }]))
  }

  return { pass, passToAny, shaped }
}

export function pathWith(path: string, query: URLSearchParams, directory: string | undefined): string {
  const all = new URLSearchParams(query)
  all.delete('directory')
  if (directory !== undefined) all.set('directory', directory)
  const text = all.toString()
  return text === '' ? path : `${path}?${text}`
}
