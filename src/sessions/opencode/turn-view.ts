/**
 * One turn as it is heard and read, and the events that follow from that. Pure.
 *
 * Lists are the truth and events the news: both are folded into the same copy of the session's messages,
 * so that a turn is the same thing either way.
 */
import type { Spending, Turn, TurnEvent } from '../backend.ts'
import { createChildren } from './children.ts'
import { createMessageStore } from './message-store.ts'
import type { SessionEvent } from './session-event.ts'
import { spendingsOf } from './spendings.ts'
import { type Tally, tally } from './tally.ts'
import { createTextParts } from './text-parts.ts'
import { createToolCalls } from './tool-calls.ts'
import { turnMessages } from './turn-messages.ts'
import { judge, type Verdict } from './verdict.ts'
import type { TextPart, WireMessage, WirePart } from './wire.ts'

export interface TurnView {
  /** All messages of the session, oldest first. */
  list(messages: readonly WireMessage[]): TurnEvent[]
  event(event: SessionEvent): TurnEvent[]
  /** Sessions that the turn has started, with theirs. */
  children(): string[]
  /** All messages of one of them, oldest first. */
  listChild(sessionID: string, messages: readonly WireMessage[]): TurnEvent[]
  childEvent(event: SessionEvent): TurnEvent[]
  /** Events were lost, or may have been. */
  disconnected(): void
  /** Call once everything heard before a list was folded in after it. */
  settled(): TurnEvent[]
  /** See `TextParts`. */
  tapped(partID: string, offset: number, text: string): TurnEvent[]
  untapped(): void
  hasUntoldBlind(): boolean
  /** What was open belongs to no answer: the server has lost it. */
  lost(): TurnEvent[]
  /** A message of this turn has that id. */
  has(messageID: string): boolean
  verdict(): Verdict
  tally(): Tally
  /** What it came to, now that nothing of it runs any more: cut-off requests are in it. */
  spendings(): Spending[]
}

export function createTurnView({ messageID, model }: Pick<Turn, 'messageID' | 'model'>): TurnView {
  const texts = createTextParts()
  const tools = createToolCalls()
  const session = createMessageStore()
  const children = createChildren()
  let turn: WireMessage[] = []
  let told: Tally = tally([], model)
  const toldSpendings = new Map<string, Spending>()
  /** UTF-16 units of open parts: the messages do not have their text. */
  const heard = new Map<string, number>()

  function putPart(part: WirePart): WireMessage | undefined {
    const message = session.putPart(part)
    if (message?.info.role === 'user') turn = turnMessages(session.messages(), messageID)
    return message
  }

  function isOfTurn(id: string): boolean {
    return turn.some(({ info }) => info.id === id)
  }

  function isAnswer({ info }: WireMessage): boolean {
    return info.role === 'assistant' && !info.summary && isOfTurn(info.id)
  }

  function spendings(isOver: boolean): Spending[] {
    const counts = ({ info }: WireMessage) => isOfTurn(info.id)
    const own = spendingsOf(session.messages(), { counts, isOver, heard })
    return [...own, ...children.spendings(turn, isOver)]
  }

  /** Never less than before: an event may be older than the list that was taken before it was read. */
  function progress(): TurnEvent[] {
    const goesOn = judge(turn).state !== 'ended'
    const news = spendings(false).filter((spending) => isMore(spending, toldSpendings.get(spending.id)))
    for (const spending of news) toldSpendings.set(spending.id, spending)
    const events: TurnEvent[] = news.length > 0 ? [{ type: 'spent', spendings: news, goesOn }] : []
    const now = tally(turn, model)
    if (now.steps <= told.steps) return events
    told = now
    return [...events, { type: 'step', steps: now.steps, goesOn }]
  }

  /** Parts of one answer in their order; an open part that cannot go on any more is given up. */
  function listAnswer({ info, parts }: WireMessage, isLast: boolean): TurnEvent[] {
    const lastStep = parts.findLastIndex(({ type }) => type === 'step-start')
    const isOver = info.role === 'assistant' && info.time.completed !== undefined
    const events = parts.flatMap((part, index) => {
      if (part.type === 'tool') return tools.seen(part)
      if (!isText(part)) return []
      if (part.time?.end !== undefined) return texts.ended(part)
      const opened = texts.opened(part, 'list')
      return index < lastStep ? [...opened, ...texts.discardOne(part.id, 'retry')] : opened
    })
    if (isOver) return [...events, ...texts.discard('retry', info.id)]
    return isLast ? events : [...events, ...texts.discard('resume', info.id)]
  }

  return {
    list(all) {
      session.replace(all)
      turn = turnMessages(session.messages(), messageID)
      const answers = turn.filter(isAnswer)
      return [...answers.flatMap((answer) => listAnswer(answer, answer === answers.at(-1))), ...progress()]
    },

    event(event) {
      switch (event.type) {
        case 'message':
          session.put(event.info)
          turn = turnMessages(session.messages(), messageID)
          return progress()
        case 'delta':
          heard.set(event.partID, (heard.get(event.partID) ?? 0) + event.text.length)
          return texts.grew(event.partID, event.text)
        case 'status': {
          if (event.status.type !== 'retry') return []
          const { attempt, message, next } = event.status
          return [{ type: 'provider-retry', attempt, nextAt: next, message }, ...texts.discardHeard('retry')]
        }
        case 'part': {
          const { part } = event
          const message = putPart(part)
          if (!message || !isAnswer(message)) return []
          if (part.type === 'tool') return tools.seen(part)
          if (part.type === 'step-start')
            return [...texts.discardHeard('retry', part.messageID), ...progress()]
          if (!isText(part)) return []
          if (part.time?.end !== undefined) heard.delete(part.id)
          return part.time?.end === undefined ? texts.opened(part, 'event') : texts.ended(part)
        }
        default:
          return []
      }
    },

    children: () => children.below(turn),
    listChild(sessionID, messages) {
      children.list(sessionID, messages)
      return progress()
    },
    childEvent(event) {
      children.event(event)
      return event.type === 'message' ? progress() : []
    },

    disconnected: () => texts.disconnected(),
    settled: () => texts.announceBlind(),
    tapped: texts.tapped,
    untapped: texts.untapped,
    hasUntoldBlind: texts.hasUntoldBlind,
    lost: () => texts.discard('resume'),
    has: isOfTurn,
    verdict: () => judge(turn),
    tally: () => {
      const now = tally(turn, model)
      return now.steps < told.steps ? told : now
    },
    spendings: () => spendings(true),
  }
}

function isMore({ usage, costMicroUsd }: Spending, told: Spending | undefined): boolean {
  return !told || costMicroUsd > told.costMicroUsd || usage.outputTokens > told.usage.outputTokens
}

function isText(part: WirePart): part is TextPart {
  return part.type === 'text' || part.type === 'reasoning'
}
