/** What the session API does: OpenCode's sessions, with a model of their own and every message a task. */
import { TierlineError } from '../../errors.ts'
import type { RecordStore } from '../../records/record-store.ts'
import type { TaskRecord } from '../../records/task-record.ts'
import { translateRedisError } from '../../redis/redis-unavailable.ts'
import type { ForwardedAnswer, ForwardRequest, SessionBackend } from '../../sessions/backend.ts'
import type { EndNotices } from '../../stream/end-notices.ts'
import type { NewEvent } from '../../tasks/event.ts'
import type { ModelID } from '../../tasks/model-id.ts'
import { splitModelID } from '../../tasks/model-id.ts'
import type { Route } from '../../tasks/route.ts'
import type { SessionDefault } from '../../tasks/session-default.ts'
import { parseSessionInput, parseSessionPatch } from '../../tasks/session-input.ts'
import { isTerminal } from '../../tasks/state.ts'
import type { Task } from '../../tasks/task.ts'
import { createTaskID } from '../../tasks/task-id.ts'
import { type FoundSession, findSession } from '../find-session.ts'
import type { TaskGates } from '../task-gates.ts'
import type { AcceptOptions } from './accept-message.ts'
import { createLocateSession } from './locate-session.ts'
import { messageAnswer } from './message-answer.ts'
import { serverOfDirectory } from './server-of-directory.ts'
import { sessionEvents } from './session-events.ts'
import type { SessionNotices } from './session-notices.ts'
import { titleOfSession } from './session-title.ts'
import { viewSession } from './session-view.ts'
import { waitingMessages } from './waiting-messages.ts'

export interface SessionOperationsDeps {
  backends: readonly SessionBackend[]
  records: RecordStore
  gates: TaskGates
  /** The route of what names this; @throws {TierlineError} for an unknown model, tier, type or agent. */
  routeFor(asked: SessionDefault, agent: string | undefined, directory: string | undefined): Promise<Route>
  /** The same from what is known, at once; `undefined`: nothing. */
  peekModel(asked: SessionDefault, directory: string | undefined): ModelID | undefined
  checkDirectory(directory: string, field: string): Promise<string>
  checkFile(url: string, field: string): Promise<string>
  notices: SessionNotices
  acceptMessage(session: FoundSession, body: unknown, options: AcceptOptions): Promise<Task>
  ends: EndNotices
  /** Name of this process, under which it is told the ends of tasks. */
  name: string
  whenFinished(id: string, waitMs: number, signal: AbortSignal): Promise<TaskRecord>
  cancel(id: string): Promise<unknown>
}

/** How an answer of OpenCode is changed before it is passed on. */
export type Shape = 'session' | 'sessions' | 'messages' | 'status'

/** A request of an OpenCode client that is passed on. */
export interface PassedRequest extends ForwardRequest {
  /** In the path; else the directory says which server it goes to. */
  sessionID?: string | undefined
  /** Real path; `undefined`: the server's own, or the session's. */
  directory?: string | undefined
  query: URLSearchParams
  shape?: Shape | undefined
}

/** `json` where it was changed, else `raw` as it came. */
export type PassedAnswer = { status: number; headers: Readonly<Record<string, string>> } & (
  | { json: unknown }
  | { raw: ForwardedAnswer['body'] }
)

/** `answer`: OpenCode's, once the task is over; `undefined` when `signal` aborts before. To be called once. */
export interface AskedMessage {
  task: Task
  answer(signal: AbortSignal): Promise<object | undefined>
}

/** An abort takes some tenths of a second. */
const STOP_PATIENCE_MS = 5_000
const NEVER = new AbortController().signal

export function createSessionOperations(deps: SessionOperationsDeps) {
  const {
    backends,
    records,
    gates,
    routeFor,
    peekModel,
    checkDirectory,
    checkFile,
    acceptMessage,
    notices,
    ends,
    name,
  } = deps
  const locate = createLocateSession(deps)
  const view = (session: unknown) => viewSession(session, peekModel)

  /** `POST /session`: OpenCode's answer, with the model as it was asked for. */
  async function create(body: unknown, directory: string | undefined): Promise<PassedAnswer> {
    const { route: asked, busy, rest } = parseSessionInput(body)
    const { model } = await routeFor(asked, rest.agent, directory)
    const { providerID, modelID } = splitModelID(model)
    const backend =
      rest.parentID === undefined
        ? serverOfDirectory(backends, directory)
        : (await locate(rest.parentID)).backend
    const answer = await backend.forward(
      {
        method: 'POST',
        path: pathWith('/session', new URLSearchParams(), directory),
        body: JSON.stringify({
          ...rest,
          // Without one OpenCode pays a model to think of one.
          title: rest.title ?? titleOfSession(new Date()),
          model: { providerID, id: modelID, ...(asked.variant && { variant: asked.variant }) },
          metadata: { ...rest.metadata, tierline: { ...asked, ...(busy && { busy }) } },
        }),
      },
      NEVER,
    )
    return shaped(answer, 'session')
  }

  /** Accepts a message; its task is in Redis, in its place among those of the session. */
  async function send(sessionID: string, body: unknown, caller: string | null): Promise<Task> {
    return accept(sessionID, body, { caller })
  }

  /** The same for whoever waits for the answer, which comes without a further round trip. */
  async function ask(sessionID: string, body: unknown, caller: string | null): Promise<AskedMessage> {
    const id = createTaskID()
    try {
      await ends.expect(id)
      const task = await accept(sessionID, body, { id, caller, waiter: name })
      if (task.id !== id) ends.forget(id)
      const failed = (error: unknown) => {
        throw translateRedisError(error)
      }
      return { task, answer: (signal) => answer(task, sessionID, signal).catch(failed) }
    } catch (error) {
      ends.forget(id)
      throw error
    }
  }

  async function accept(sessionID: string, body: unknown, options: AcceptOptions): Promise<Task> {
    return acceptMessage(await findSession(backends, sessionID), body, options)
  }

  /** OpenCode's answer to the message of a task, once it is over; `undefined` when `signal` aborts before. */
  async function answer({ id }: Task, sessionID: string, signal: AbortSignal): Promise<object | undefined> {
    const onAbort = () => ends.forget(id)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    const events = await ends.ended(id)
    signal.removeEventListener('abort', onAbort)
    ends.forget(id)
    const messageID = events && answeredIn(events)
    if (messageID !== undefined) {
      const { backend, directory } = await locate(sessionID)
      const found = await backend.answerTo({ sessionID, directory }, messageID, signal)
      if (found !== undefined) return found
    }
    const record = await deps.whenFinished(id, Number.POSITIVE_INFINITY, signal)
    if (!isTerminal(record.state)) return undefined
    const { backend } = await locate(sessionID)
    return messageAnswer(record, backend, signal)
  }

  /** Cancels what waits in the session and what runs there, the last first, so that none starts in between. */
  async function cancelAll(sessionID: string): Promise<void> {
    const ids = await gates.sessionTurn(sessionID).tasks()
    for (const id of ids.reverse()) await deps.cancel(id).catch(unlessGone)
    // What runs is stopped by its worker, and is to be called cancelled; not for long, should there be none.
    const patience = AbortSignal.timeout(STOP_PATIENCE_MS)
    await Promise.all(ids.map((id) => deps.whenFinished(id, STOP_PATIENCE_MS, patience).catch(unlessGone)))
  }

  async function* events(directory: string | undefined, signal: AbortSignal): AsyncGenerator<object> {
    const backend = serverOfDirectory(backends, directory)
    const own = directory ?? (await ownDirectory(backend))
    yield* sessionEvents({ gates, notices, view }, backend, own, signal)
  }

  /** A directory that nobody names is the server's own. */
  async function ownDirectory(backend: SessionBackend): Promise<string | undefined> {
    const answer = (await (await backend.forward({ method: 'GET', path: '/path' }, NEVER)).json()) as {
      directory?: string
    }
    return answer.directory
  }

  async function abort(
    sessionID: string,
    request: PassedRequest,
    signal: AbortSignal,
  ): Promise<PassedAnswer> {
    await cancelAll(sessionID)
    // Also for what did not come through tierline.
    return pass(request, signal)
  }

  async function remove(
    sessionID: string,
    request: PassedRequest,
    signal: AbortSignal,
  ): Promise<PassedAnswer> {
    await locate(sessionID)
    await cancelAll(sessionID)
    return pass(request, signal)
  }

  /** `PATCH /session/:id`; a model in it is the session's from then on. Metadata replaces all but tierline's. */
  async function patch(sessionID: string, body: unknown, request: PassedRequest, signal: AbortSignal) {
    const session = await findSession(backends, sessionID)
    const { route, busy, rest } = parseSessionPatch(body)
    const directory = session.directory
    const own = session.metadata.tierline as object | undefined
    const isRouted = Object.keys(route).length > 0
    if (isRouted) await routeFor(route, undefined, directory)
    // Of what else is in there nothing is lost.
    const { type, tier, model, variant, ...others } = { ...own } as Record<string, unknown>
    const tierline = { ...(isRouted ? { ...others, ...route } : own), ...(busy && { busy }) }
    const changesMetadata = rest.metadata !== undefined || isRouted || busy !== undefined
    const metadata = { ...(rest.metadata ?? session.metadata), tierline }
    const sent = JSON.stringify({ ...rest, ...(changesMetadata && { metadata }) })
    return pass({ ...request, body: sent }, signal)
  }

  /** Passes a request on to the server of its session, or of its directory. */
  async function pass(request: PassedRequest, signal: AbortSignal): Promise<PassedAnswer> {
    const { sessionID, query, shape, method, path, body } = request
    const { backend, directory } =
      sessionID === undefined
        ? { backend: serverOfDirectory(backends, request.directory), directory: request.directory }
        : await locate(sessionID)
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
    const ask = (backend: SessionBackend) =>
      backend.forward({ method, path: pathWith(path, query, directory), body }, signal)
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
    const waiting = await waitingMessages({ records, gates }, sessionID)
    return [...messages, ...waiting.filter(({ info }) => !there.has(info.id))]
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

  return {
    create,
    send,
    ask,
    abort,
    remove,
    patch,
    pass,
    passToAny,
    events,
    checkDirectory,
    checkFile,
  }
}

function pathWith(path: string, query: URLSearchParams, directory: string | undefined): string {
  const all = new URLSearchParams(query)
  all.delete('directory')
  if (directory !== undefined) all.set('directory', directory)
  const text = all.toString()
  return text === '' ? path : `${path}?${text}`
}

/** The message of a task that went well, by its last events. */
function answeredIn(events: readonly NewEvent[]): string | undefined {
  const finished = events.find((event) => event.type === 'message-finished')
  const last = events.at(-1)
  return last?.type === 'task-finished' && last.state === 'succeeded' ? finished?.messageID : undefined
}

/** It came to its end in between, and was removed. */
function unlessGone(error: unknown): void {
  if (!(error instanceof TierlineError) || error.code !== 'task_not_found') throw error
}
