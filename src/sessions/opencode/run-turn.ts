/**
 * One turn, from the question to its end: listens first, then asks what there is, then sends.
 *
 * What a turn is and whether it is over stands in `turn-view.ts` and `verdict.ts`; here is only when to
 * look and what to send (docs/opencode.md "Joining, repeating, resuming").
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { splitModelID } from '../../tasks/model-id.ts'
import type { Turn, TurnError, TurnEvent } from '../backend.ts'
import type { DirectoryWatch, Notice } from './directory-watch.ts'
import type { OpenCodeHttp, PromptBody } from './http.ts'
import { createInbox } from './inbox.ts'
import { patiently } from './patience.ts'
import { OpenCodeRefusal } from './refusal.ts'
import { isStackTrace, turnError } from './turn-error.ts'
import { createTurnView } from './turn-view.ts'
import type { Ending, Verdict } from './verdict.ts'

/** Idle for this long in the middle of a turn: the server has lost it. */
const QUIET_MS = 2_000
/** The same before the first answer: a server that boots a directory says that the session is idle. */
const QUIET_AT_FIRST_MS = 5_000
/** The same, once the server has said that it cannot begin. */
const QUIET_AFTER_ERROR_MS = 300
/** How long the last turn of the session may take to go idle after its last message. */
const LEFTOVER_PATIENCE_MS = 5_000
const LEFTOVER_PAUSE_MS = 20
/** An aborted session may make one more call after a child of it was stopped. */
const ABORT_AGAIN_MS = 1_000
/** How often a turn is sent again without a step of progress. */
const MOST_REPEATS = 4
const LONG_MS = 60_000

export interface TurnDeps {
  http: OpenCodeHttp
  watch: DirectoryWatch
  patienceMs: number
  /** Nobody can have sent this turn before: it goes out without a look. */
  isFirst: boolean
}

type News = Notice | { type: 'sent' } | { type: 'send-failed'; error: unknown }

/** @throws the reason of `signal` when that aborts, `opencode_unavailable` when the patience is over. */
export async function* runTurn(turn: Turn, deps: TurnDeps, signal: AbortSignal): AsyncGenerator<TurnEvent> {
  const { http, watch, patienceMs } = deps
  const { sessionID, directory } = turn
  const view = createTurnView(turn)
  const inbox = createInbox<News>()
  let isSending = false
  let isBlind = false
  let heardAt = Date.now()
  /** Since when the session is known to be idle; `undefined`: it is busy, or may be. */
  let quietSince: number | undefined
  let complaint: TurnError | undefined
  let abortAskedAt: number | undefined
  let repeats = 0
  let stepsAtRepeat = 0

  const ask = <T>(request: () => Promise<T>): Promise<T> => patiently(patienceMs, signal, request)
  const stopListening = watch.listen(sessionID, inbox.push)
  try {
    yield* run()
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof OpenCodeRefusal)) throw error
    yield* end({ status: 'failed', error: refused(error) })
  } finally {
    stopListening()
  }

  async function* run(): AsyncGenerator<TurnEvent> {
    await watch.connected(patienceMs, signal)
    const found: Verdict = deps.isFirst ? { state: 'absent' } : yield* look()
    if (found.state === 'ended') return yield* end(found.ending)
    if (found.state !== 'absent') await noteIfIdle()
    else {
      if (!deps.isFirst) await leftoverIsOver()
      yield* catchUp()
      if (abortAskedAt !== undefined) return yield* end({ status: 'aborted' })
      send()
    }
    while (true) {
      const news = await inbox.next(pauseMs(), signal)
      if (news) yield* hear(news)
      if (isBlind) {
        isBlind = false
        await watch.connected(patienceMs, signal)
      } else if (news ? !callsForALook(news) : !(await isOverdue())) continue
      const found = yield* look()
      if (found.state === 'ended') return yield* end(found.ending)
      if (isQuiet()) {
        const ending = yield* goOn(found)
        if (ending) return yield* end(ending)
      } else if (news?.type === 'disconnected') await noteIfIdle()
    }
  }

  function send(): void {
    isSending = true
    quietSince = undefined
    ask(() => http.prompt(sessionID, directory, bodyOf(turn), signal)).then(
      () => inbox.push({ type: 'sent' }),
      (error: unknown) => inbox.push({ type: 'send-failed', error }),
    )
  }

  /** Reads all there is; what was heard while reading waits in the inbox and is folded in after it. */
  async function* look(): AsyncGenerator<TurnEvent, Verdict> {
    const messages = await ask(() => http.messages(sessionID, directory, signal))
    yield* view.list(messages)
    const verdict = view.verdict()
    yield* catchUp()
    if (!isBlind) yield* view.settled()
    if (verdict.state !== 'over-if-idle') return verdict
    return (await isBusy()) ? { state: 'unfinished' } : { state: 'ended', ending: { status: 'aborted' } }
  }

  function* catchUp(): Generator<TurnEvent> {
    for (let news = inbox.take(); news; news = inbox.take()) yield* hear(news)
  }

  function hear(news: News): TurnEvent[] {
    switch (news.type) {
      case 'polled':
        if (news.isBusy) quietSince = undefined
        else if (!isSending && news.askedAt > heardAt) quietSince ??= news.askedAt
        return []
      case 'send-failed':
        throw news.error
      case 'sent':
        isSending = false
        heardAt = Date.now()
        return []
      case 'disconnected':
        view.disconnected()
        isBlind = true
        return []
      case 'abort-asked':
        abortAskedAt = Date.now()
        return []
      case 'error':
        if (!isStackTrace(news.error)) complaint = turnError(news.error)
        break
    }
    heardAt = Date.now()
    quietSince = undefined
    return view.event(news)
  }

  /** Only these can be the last of a turn; reading all messages for each event would be dear. */
  function callsForALook(news: News): boolean {
    if (news.type === 'status') return news.status.type === 'idle'
    if (news.type !== 'message') return false
    const { state } = view.verdict()
    return state === 'ended' || state === 'over-if-idle'
  }

  function pauseMs(): number {
    if (isSending) return LONG_MS
    const now = Date.now()
    if (isHopeless()) return QUIET_AFTER_ERROR_MS
    const untilQuiet = quietSince === undefined ? LONG_MS : quietSince + quietMs() - now
    const untilAbort = abortAskedAt === undefined ? LONG_MS : abortAskedAt + ABORT_AGAIN_MS - now
    return Math.max(0, Math.min(untilQuiet, untilAbort))
  }

  /** After a pause without news: true when it is time to look what became of the turn. */
  async function isOverdue(): Promise<boolean> {
    if (isSending) return false
    const isAbortDue = abortAskedAt !== undefined && Date.now() - abortAskedAt >= ABORT_AGAIN_MS
    if (isAbortDue) abortAskedAt = Date.now()
    if (await isBusy()) {
      quietSince = undefined
      if (isAbortDue) await ask(() => http.abort(sessionID, directory))
      return false
    }
    quietSince ??= Date.now()
    return isQuiet()
  }

  function isQuiet(): boolean {
    if (quietSince === undefined || isSending) return false
    return isHopeless() || Date.now() - quietSince >= quietMs()
  }

  function quietMs(): number {
    return isUnanswered() ? QUIET_AT_FIRST_MS : QUIET_MS
  }

  function isHopeless(): boolean {
    return complaint !== undefined && isUnanswered()
  }

  /** The server does nothing about an unfinished turn: gives up, with the reason, or sends it once more. */
  function* goOn(found: Verdict): Generator<TurnEvent, Ending | undefined> {
    if (abortAskedAt !== undefined) return { status: 'aborted' }
    if (complaint && isUnanswered()) return { status: 'failed', error: complaint }
    const { steps } = view.tally()
    if (steps > stepsAtRepeat) repeats = 0
    stepsAtRepeat = steps
    repeats += 1
    if (repeats > MOST_REPEATS) return { status: 'failed', error: complaint ?? LOST_AGAIN }
    yield* view.lost()
    if (found.state === 'unfinished') yield { type: 'turn-resumed', reason: 'the server had lost the turn' }
    send()
    return undefined
  }

  function isUnanswered(): boolean {
    const { state } = view.verdict()
    return state === 'absent' || state === 'unanswered'
  }

  async function isBusy(): Promise<boolean> {
    const statuses = await ask(() => http.statuses(directory, signal))
    return (statuses[sessionID]?.type ?? 'idle') !== 'idle'
  }

  async function noteIfIdle(): Promise<void> {
    quietSince = (await isBusy()) ? undefined : Date.now()
  }

  /** A message sent while the run of the last one is about to end may never run (anomalyco/opencode#46842). */
  async function leftoverIsOver(): Promise<void> {
    const deadline = Date.now() + LEFTOVER_PATIENCE_MS
    while ((await isBusy()) && Date.now() < deadline) await sleep(LEFTOVER_PAUSE_MS, undefined, { signal })
  }

  function* end(ending: Ending): Generator<TurnEvent> {
    yield* view.lost()
    yield { type: 'turn-ended', outcome: { ...view.tally(), ...ending } }
  }
}

const LOST_AGAIN: TurnError = {
  code: 'turn_failed',
  message: 'OpenCode took the message several times and did nothing about it',
  retryable: true,
  httpStatus: undefined,
}

function bodyOf({ messageID, model, agent, system, parts }: Turn): PromptBody {
  return { messageID, model: splitModelID(model), agent, ...(system !== undefined && { system }), parts }
}

/** The session may be gone (404); another one can be opened then. */
function refused({ status, message }: OpenCodeRefusal): TurnError {
  return { code: 'turn_failed', message, retryable: status === 404 || status >= 500, httpStatus: undefined }
}
