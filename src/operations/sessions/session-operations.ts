/** What the session API does: OpenCode's sessions, with a model of their own and every message a task. */
import { TierlineError } from '../../errors.ts'
import type { RecordStore } from '../../records/record-store.ts'
import type { ModelID } from '../../tasks/model-id.ts'
import { splitModelID } from '../../tasks/model-id.ts'
import type { Route } from '../../tasks/route.ts'
import type { SessionDefault } from '../../tasks/session-default.ts'
import { parseSessionInput, parseSessionPatch } from '../../tasks/session-input.ts'
import { findSession } from '../find-session.ts'
import type { OwnDirectories } from '../own-directories.ts'
import type { TaskGates } from '../task-gates.ts'
import { type AskMessageDeps, createAskMessage } from './ask-message.ts'
import { globalEvents } from './global-events.ts'
import { createLocateSession } from './locate-session.ts'
import { createPassOn, type PassedAnswer, type PassedRequest, pathWith } from './pass-on.ts'
import { serverOfDirectory } from './server-of-directory.ts'
import { sessionEvents } from './session-events.ts'
import type { SessionNotices } from './session-notices.ts'
import { titleOfSession } from './session-title.ts'
import { viewSession } from './session-view.ts'
import { createShownMessages } from './shown-messages.ts'

export interface SessionOperationsDeps extends Omit<AskMessageDeps, 'locate'> {
  records: RecordStore
  gates: TaskGates
  /** The route of what names this; @throws {TierlineError} for an unknown model, tier, type or agent. */
  routeFor(asked: SessionDefault, agent: string | undefined, directory: string | undefined): Promise<Route>
  /** The same from what is known, at once; `undefined`: nothing. */
  peekModel(asked: SessionDefault, directory: string | undefined): ModelID | undefined
  checkDirectory(directory: string, field: string): Promise<string>
  ownDirectories: OwnDirectories
  checkFile(url: string, field: string): Promise<string>
  notices: SessionNotices
  cancel(id: string): Promise<unknown>
}

/** An abort takes some tenths of a second. */
const STOP_PATIENCE_MS = 5_000

export function createSessionOperations(deps: SessionOperationsDeps) {
  const { backends, gates, routeFor, peekModel, checkDirectory, checkFile, notices, ownDirectories } = deps
  const locate = createLocateSession(deps)
  const shown = createShownMessages()
  const view = (session: unknown) => viewSession(session, peekModel)
  const { send, ask } = createAskMessage({ ...deps, locate })
  const { pass, passToAny, shaped } = createPassOn({ ...deps, locate, shown, view })

  /** `POST /session`: OpenCode's answer, with the model as it was asked for. */
  async function create(
    body: unknown,
    directory: string | undefined,
    signal: AbortSignal,
  ): Promise<PassedAnswer> {
    const { route: asked, busy, rest } = parseSessionInput(body)
    const { model } = await routeFor(asked, rest.agent, directory)
    const { providerID, modelID } = splitModelID(model)
    const backend =
      rest.parentID === undefined
        ? serverOfDirectory(backends, directory)
        : (await locate(rest.parentID, 'parentID')).backend
    if (directory === undefined) await ownDirectories.check(backend, signal)
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
      signal,
    )
    return shaped(answer, 'session')
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
    const own = directory ?? (await ownDirectories.of(backend, signal))
    yield* sessionEvents({ gates, notices, shown, view }, backend, own, signal)
  }

  function allEvents(signal: AbortSignal): AsyncIterable<object> {
    return globalEvents({ gates, notices, shown, locate, checkDirectory, view }, backends, signal)
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
    ownDirectory: (signal: AbortSignal) =>
      ownDirectories.check(serverOfDirectory(backends, undefined), signal),
    allEvents,
    checkDirectory,
    checkFile,
  }
}

/** It came to its end in between, and was removed. */
function unlessGone(error: unknown): void {
  if (!(error instanceof TierlineError) || error.code !== 'task_not_found') throw error
}
