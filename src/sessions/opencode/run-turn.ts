/**
 * One turn, from the question to its end: listens first, then asks what there is, then sends.
 *
 * What a turn is and whether it is over stands in `turn-view.ts` and `verdict.ts`, when to act in
 * `turn-clock.ts`; here is what is done then (docs/opencode.md "Joining, repeating, resuming").
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Turn, TurnError, TurnEvent } from '../backend.ts'
import type { OpenAsk } from './asks.ts'
import type { DirectoryWatch, Notice } from './directory-watch.ts'
import type { OpenCodeHttp } from './http.ts'
import { createInbox } from './inbox.ts'
import { patiently } from './patience.ts'
import { promptBody } from './prompt-body.ts'
import { OpenCodeRefusal } from './refusal.ts'
import type { SessionEvent } from './session-event.ts'
import type { Tap, TapNotice } from './tap.ts'
import { createTurnAsks } from './turn-asks.ts'
import { createTurnChildren, startsChild } from './turn-children.ts'
import { createTurnClock, PACE, type Pace } from './turn-clock.ts'
import { isStackTrace, LOST_AGAIN, refusedTurn, turnError } from './turn-error.ts'
import { createTurnTap } from './turn-tap.ts'
import { createTurnView } from './turn-view.ts'
import type { Ending, Verdict } from './verdict.ts'
import { isBusyIn } from './wire.ts'

/** How long the last turn of the session may take to go idle after its last message. */
const LEFTOVER_PATIENCE_MS = 5_000
const LEFTOVER_PAUSE_MS = 20
/** How often a reader hears that the model speaks in a blind part. */
const ALIVE_MS = 1_000
/** How often a turn is sent again without a step of progress. */
const MOST_REPEATS = 4

export interface TurnDeps {
  http: OpenCodeHttp
  watch: DirectoryWatch
  patienceMs: number
  /** Nobody can have sent this turn before: it goes out without a look. */
  isFirst: boolean
  pace?: Pace
  /** Where text comes from that this reader did not see begin; `undefined`: from nowhere before its end. */
  tap?: Tap | undefined
}

type News =
  | Notice
  | TapNotice
  | { type: 'sent' }
  | { type: 'send-failed'; error: unknown }
  | { type: 'child'; event: SessionEvent }

/** @throws the reason of `signal` when that aborts, `opencode_unavailable` when the patience is over. */
export async function* runTurn(turn: Turn, deps: TurnDeps, signal: AbortSignal): AsyncGenerator<TurnEvent> {
  const { http, watch, patienceMs, pace = PACE } = deps
  const { sessionID, directory } = turn
  const view = createTurnView(turn)
  const clock = createTurnClock(pace, Date.now())
  const inbox = createInbox<News>()
  const tap = createTurnTap({ tap: deps.tap, sessionID, view, push: inbox.push })
  let isBlind = false
  let aliveAt = 0
  let complaint: TurnError | undefined
  let repeats = 0
  let stepsAtRepeat = 0

  const ask = <T>(request: () => Promise<T>): Promise<T> => patiently(patienceMs, signal, request)
  const children = createTurnChildren({
    view,
    watch,
    hear: (event) => inbox.push({ type: 'child', event }),
    messages: (id) => ask(() => http.messages(id, directory, signal)),
  })
  const asks = createTurnAsks(turn.openAsks ?? [])
  const stopListening = watch.listen(sessionID, inbox.push, { isAttended: turn.isAttended ?? false })
  try {
    yield* run()
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof OpenCodeRefusal)) throw error
    yield* end({ status: 'failed', error: refusedTurn(error, deps.isFirst) })
  } finally {
    stopListening()
    children.close()
    tap.close()
  }

  async function* run(): AsyncGenerator<TurnEvent> {
    await watch.connected(patienceMs, signal)
    const found: Verdict = deps.isFirst ? { state: 'absent' } : yield* look()
    if (found.state === 'ended') return yield* end(found.ending)
    if (found.state === 'absent') {
      if (!deps.isFirst) await leftoverIsOver()
      yield* catchUp()
      if (clock.isAborting()) return yield* end({ status: 'aborted' })
      send()
    } else {
      clock.heard(Date.now(), found.state !== 'unanswered')
      await isBusy()
      void watch.listAsks()
    }
    while (true) {
      const news = await inbox.next(clock.pauseMs(Date.now(), isHopeless()), signal)
      if (news) yield* hear(news)
      const wasBlind = isBlind
      if (isBlind) {
        isBlind = false
        await watch.connected(patienceMs, signal)
      }
      if (!wasBlind && !(news && callsForALook(news)) && !(await isOverdue())) continue
      const found = yield* look()
      if (found.state === 'ended') return yield* end(found.ending)
      if (clock.isQuiet(Date.now(), isHopeless())) {
        const ending = yield* goOn(found)
        if (ending) return yield* end(ending)
      } else if (wasBlind) {
        await isBusy()
        void watch.listAsks()
      }
    }
  }

  function send(): void {
    clock.sending(repeats)
    ask(() => http.prompt(sessionID, directory, promptBody(turn), signal)).then(
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
    yield* children.look()
    if (!isBlind) yield* tap.settled()
    if (verdict.state !== 'over-if-idle') return verdict
    return (await isBusy()) ? { state: 'unfinished' } : { state: 'ended', ending: { status: 'aborted' } }
  }

  function* catchUp(): Generator<TurnEvent> {
    for (let news = inbox.take(); news; news = inbox.take()) yield* hear(news)
  }

  function hear(news: News): TurnEvent[] {
    const now = Date.now()
    switch (news.type) {
      case 'polled':
        clock.found(news.isBusy, news.askedAt)
        return []
      case 'send-failed':
        throw news.error
      case 'sent':
        clock.sent(now)
        return []
      case 'tapped':
        return view.tapped(news.partID, news.offset, news.text)
      case 'tap-ready':
      case 'tap-failed':
        tap.answered(news.type === 'tap-ready')
        return isBlind ? [] : view.settled()
      case 'disconnected':
        tap.drop()
        view.disconnected()
        isBlind = true
        return []
      case 'abort-asked':
        clock.abortAsked(now)
        return []
      case 'asked':
        return isOfTurn(news.ask) ? asks.asked(news.ask, now) : []
      case 'ask-replied':
        return asks.replied(news.askID, news.reply)
      case 'asks-listed':
        return asks.listed(news.asks.filter(isOfTurn), news.askedAt)
      case 'child': {
        clock.heard(now, false)
        const events = view.childEvent(news.event)
        if (startsChild(news.event)) children.follow()
        return events
      }
      case 'error':
        if (!isStackTrace(news.error)) complaint = turnError(news.error)
        break
    }
    clock.heard(now, isBeginning(news))
    const events = view.event(news)
    if (startsChild(news)) children.follow()
    if (events.length > 0 || news.type !== 'delta' || now - aliveAt < ALIVE_MS) return events
    aliveAt = now
    return [{ type: 'alive' }]
  }

  /** Those of an earlier message, which was aborted, stay listed for ever. */
  function isOfTurn({ sessionID: asking, tool }: OpenAsk): boolean {
    return asking !== sessionID || tool?.messageID === undefined || view.has(tool.messageID)
  }

  /** Only these can be the last of a turn; reading all messages for each event would be dear. */
  function callsForALook(news: News): boolean {
    if (news.type === 'status') return news.status.type === 'idle'
    if (news.type !== 'message') return false
    const { state } = view.verdict()
    return state === 'ended' || state === 'over-if-idle'
  }

  /** True when nothing was heard for so long that it is time to look what became of the turn. */
  async function isOverdue(): Promise<boolean> {
    if (clock.pauseMs(Date.now(), isHopeless()) > 0) return false
    const isAbortDue = clock.takeAbort(Date.now())
    if (!(await isBusy())) return clock.isQuiet(Date.now(), isHopeless())
    if (isAbortDue) await ask(() => http.abort(sessionID, directory))
    return false
  }

  /** The server does nothing about an unfinished turn: gives up, with the reason, or sends it once more. */
  function* goOn(found: Verdict): Generator<TurnEvent, Ending | undefined> {
    if (clock.isAborting()) return { status: 'aborted' }
    if (complaint && isHopeless()) return { status: 'failed', error: complaint }
    const { steps } = view.tally()
    if (steps > stepsAtRepeat) repeats = 0
    stepsAtRepeat = steps
    repeats += 1
    if (repeats > MOST_REPEATS) return { status: 'failed', error: complaint ?? LOST_AGAIN }
    yield* view.lost()
    if (found.state === 'unfinished' && clock.hasBegun())
      yield { type: 'turn-resumed', reason: 'the server had lost the turn' }
    send()
    return undefined
  }

  /** The server has said what is wrong, and there is no answer that says it better. */
  function isHopeless(): boolean {
    if (complaint === undefined) return false
    const { state } = view.verdict()
    return state === 'absent' || state === 'unanswered'
  }

  async function isBusy(): Promise<boolean> {
    const askedAt = Date.now()
    const statuses = await ask(() => http.statuses(directory, signal))
    const busy = isBusyIn(statuses, sessionID)
    clock.found(busy, askedAt)
    return busy
  }

  /** A message sent while the run of the last one is about to end may never run (anomalyco/opencode#46842). */
  async function leftoverIsOver(): Promise<void> {
    const deadline = Date.now() + LEFTOVER_PATIENCE_MS
    while ((await isBusy()) && Date.now() < deadline) await sleep(LEFTOVER_PAUSE_MS, undefined, { signal })
  }

  async function* end(ending: Ending): AsyncGenerator<TurnEvent> {
    yield* view.lost()
    yield* children.readAll()
    yield { type: 'turn-ended', outcome: { ...view.tally(), spendings: view.spendings(), ...ending } }
  }
}

function isBeginning(news: News): boolean {
  if (news.type === 'status') return news.status.type !== 'idle'
  return news.type === 'message' && news.info.role === 'assistant'
}
