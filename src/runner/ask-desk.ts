/**
 * Where the asks of one turn are dealt with: the policy answers, or a person, or their deadline.
 *
 * What is asked of a person lies in the record, and so does the answer: whoever has the task then passes it on.
 * The first answer counts, whoever gives it. Costs nothing while nothing is asked.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { AskDecision, KeptAsk } from '../records/kept-asks.ts'
import type { TaskRecord } from '../records/task-record.ts'
import type { SessionBackend, TurnEvent } from '../sessions/backend.ts'
import type { AskAnswer } from '../tasks/ask.ts'
import type { TaskEvent } from '../tasks/event.ts'
import { actionFor, type PermissionRule } from '../tasks/permissions.ts'
import type { Journal } from './journal.ts'

/** Asks of a person in one task; an agent that wants to know more is told to go on without. */
const MOST_ASKS = 100
const AGAIN_MS = 1_000
const NONE: readonly string[] = []

const DENIED = 'This is denied by policy. Go on without it, or say what is missing.'
const NOBODY = 'Nobody answered in time. Go on without this, or say what is missing.'
const REFUSED = 'A person said no. Go on without this, or ask for something else.'

export interface AskPolicy {
  /** What may be done without a person, in the order in which it was said. */
  rules: readonly PermissionRule[]
  /** How long a person has for an answer. */
  timeoutMs: number
}

export interface AskDeps {
  /** Called once something is asked. */
  policy(): AskPolicy
  /** Decides an ask unless that was done; gives the decision that holds. One round trip, atomic. */
  decide(taskID: string, askID: string, decision: AskDecision): Promise<AskDecision>
  /** By the order of the ids; `undefined`: still open. */
  decisions(taskID: string, askIDs: readonly string[]): Promise<(AskDecision | undefined)[]>
  now(): number
}

export interface AskDeskOptions extends AskDeps {
  record: TaskRecord
  backend: SessionBackend
  journal: Journal
  /** What the log holds already, of a task that was taken over. */
  log: readonly TaskEvent[]
  /** Calls back when somebody may have answered; gives the function that stops it. */
  onAnswer: ((listener: () => void) => () => void) | undefined
  deadlineAt: number
}

export interface AskDesk {
  /** Those that are open by what the record says. */
  open(): readonly string[]
  take(event: Extract<TurnEvent, { type: 'asked' | 'ask-gone' }>): void
  /** The turn is over: what is open is closed. */
  over(): Promise<void>
  /** Somebody else goes on with the turn: what is open stays so. */
  close(): void
}

/** Set up when something is asked: few turns ask anything. */
export function createAskDesk(options: AskDeskOptions): AskDesk {
  let desk = options.record.asks.length > 0 ? openAskDesk(options) : undefined
  return {
    open: () => desk?.open() ?? NONE,
    take(event) {
      desk ??= openAskDesk(options)
      desk.take(event)
    },
    over: async () => desk?.over(),
    close: () => desk?.close(),
  }
}

function openAskDesk(options: AskDeskOptions): AskDesk {
  const { record, backend, journal, log, onAnswer, decide, decisions, now } = options
  const { rules, timeoutMs } = options.policy()
  /** Asks that this reader was told of: an answer can be passed on. */
  const here = new Set<string>()
  const told = new Set(log.flatMap((event) => (event.type === 'ask-closed' ? [event.askID] : [])))
  const timers = new Map<string, NodeJS.Timeout>()
  const always: PermissionRule[] = record.asks.flatMap(rulesOfAlways)
  const closing = new AbortController()
  let stopListening: (() => void) | undefined

  for (const ask of record.asks) if (ask.decision !== undefined) tell(ask, ask.decision)

  const openAsks = () => record.asks.filter(({ decision }) => decision === undefined)

  function actionOf({ kind, permission, patterns }: Pick<KeptAsk, 'kind' | 'permission' | 'patterns'>) {
    if (kind === 'permission') return actionFor([...rules, ...always], permission ?? '', patterns)
    // That a model may ask means that somebody is asked.
    return actionFor(rules, 'question', []) === 'deny' ? 'deny' : 'ask'
  }

  /** An ask that nobody looks after any more hangs its session for ever, so what cannot be done now is tried again. */
  async function untilDone(work: () => Promise<unknown>): Promise<void> {
    const { signal } = closing
    for (;;) {
      try {
        await work()
        return
      } catch {
        await sleep(AGAIN_MS, undefined, { signal }).catch(() => {})
        if (signal.aborted) return
      }
    }
  }

  async function asked({ askID, subject, always: proposed }: Extract<TurnEvent, { type: 'asked' }>) {
    here.add(askID)
    const known = record.asks.find(({ id }) => id === askID)
    if (known?.decision !== undefined) return passOn(known, known.decision)
    if (known !== undefined) return wait(known)
    const askedAt = now()
    const deadlineAt = Math.min(askedAt + timeoutMs, options.deadlineAt)
    const ask: KeptAsk = { id: askID, ...subject, always: [...proposed], askedAt, deadlineAt }
    const action = actionOf(ask)
    if (action === 'allow') return passOn(ask, { state: 'answered', reply: 'once' })
    if (action === 'deny' || record.asks.length >= MOST_ASKS)
      return passOn(ask, { state: 'denied', reply: 'reject', message: DENIED })
    record.asks = [...record.asks, ask]
    journal.add({ type: 'ask-opened', askID, ...subject, deadlineAt })
    const kept = () => JSON.stringify(record.asks.map(({ decision: _, ...rest }) => rest))
    await untilDone(async () => {
      if (await journal.commit({ asks: kept() })) wait(ask)
    })
  }

  function wait(ask: KeptAsk): void {
    if (closing.signal.aborted || timers.has(ask.id)) return
    const leftMs = Math.max(0, ask.deadlineAt - now())
    const deny = () => settle(ask, { state: 'denied', reply: 'reject', message: NOBODY })
    timers.set(
      ask.id,
      setTimeout(() => void untilDone(deny), leftMs),
    )
    stopListening ??= onAnswer?.(() => void untilDone(look))
    void untilDone(look)
  }

  async function look(): Promise<void> {
    const asks = openAsks().filter(({ id }) => here.has(id))
    if (asks.length === 0) return
    const found = await decisions(
      record.id,
      asks.map(({ id }) => id),
    )
    for (const [index, decision] of found.entries()) if (decision) conclude(asks[index]!, decision)
  }

  /** Decides it, unless somebody was faster. */
  async function settle(ask: KeptAsk, wanted: AskDecision): Promise<void> {
    if (ask.decision === undefined) conclude(ask, await decide(record.id, ask.id, wanted))
  }

  function conclude(ask: KeptAsk, decision: AskDecision): void {
    if (ask.decision !== undefined) return
    ask.decision = decision
    clearTimeout(timers.get(ask.id))
    tell(ask, decision)
    void passOn(ask, decision)
    if (decision.reply !== 'always') return
    always.push(...rulesOfAlways(ask))
    for (const other of openAsks())
      if (actionOf(other) === 'allow')
        void untilDone(() => settle(other, { state: 'answered', reply: 'once' }))
  }

  function tell({ id }: KeptAsk, decision: AskDecision): void {
    if (told.has(id)) return
    told.add(id)
    journal.add({ type: 'ask-closed', askID: id, ...decision })
  }

  /** Until the server has it, or does not know the ask any more. */
  async function passOn(ask: KeptAsk, decision: AskDecision): Promise<void> {
    if (!here.has(ask.id)) return
    const directory = record.directory ?? undefined
    const ref = { askID: ask.id, kind: ask.kind, questions: ask.questions.length, directory }
    await untilDone(async () => {
      await backend.answerAsk(ref, answerOf(decision))
      here.delete(ask.id)
    })
  }

  function gone({ askID, reply }: Extract<TurnEvent, { type: 'ask-gone' }>): void {
    here.delete(askID)
    const ask = openAsks().find(({ id }) => id === askID)
    if (ask === undefined) return
    const isAnswer = reply !== undefined && reply !== 'reject'
    const state = isAnswer ? 'answered' : 'denied'
    void untilDone(() => settle(ask, { state, ...(reply && { reply }) }))
  }

  function close(): void {
    closing.abort()
    for (const timer of timers.values()) clearTimeout(timer)
    stopListening?.()
  }

  return {
    open: () => openAsks().map(({ id }) => id),
    take(event) {
      if (event.type === 'ask-gone') gone(event)
      else void asked(event)
    },
    async over() {
      const asks = openAsks()
      await Promise.all(asks.map((ask) => settle(ask, { state: 'denied' }).catch(() => {})))
      close()
    },
    close,
  }
}

function rulesOfAlways({ permission, always, decision }: KeptAsk): PermissionRule[] {
  if (decision?.reply !== 'always' || permission === null) return []
  return always.map((pattern) => ({ permission, pattern, action: 'allow' }))
}

/** OpenCode would hold an `always` for every session of the directory, so it never hears one. */
function answerOf({ reply, answers, message }: AskDecision): AskAnswer {
  if (answers !== undefined) return { answers }
  if (reply === 'once' || reply === 'always') return { reply: 'once', ...(message && { message }) }
  return { reply: 'reject', message: message ?? REFUSED }
}
