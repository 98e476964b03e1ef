/**
 * One turn as it is heard and read, and the events that follow from that. Pure.
 *
 * Lists are the truth and events the news: both are folded into the same copy of the session's messages,
 * so that a turn is the same thing either way.
 */
import type { Turn, TurnEvent } from '../backend.ts'
import type { SessionEvent } from './session-event.ts'
import { type Tally, tally } from './tally.ts'
import { createTextParts } from './text-parts.ts'
import { createToolCalls } from './tool-calls.ts'
import { turnMessages } from './turn-messages.ts'
import { judge, type Verdict } from './verdict.ts'
import type { MessageInfo, TextPart, WireMessage, WirePart } from './wire.ts'

export interface TurnView {
  /** All messages of the session, oldest first. */
  list(messages: readonly WireMessage[]): TurnEvent[]
  event(event: SessionEvent): TurnEvent[]
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
}

export function createTurnView({ messageID, model }: Pick<Turn, 'messageID' | 'model'>): TurnView {
  const texts = createTextParts()
  const tools = createToolCalls()
  let messages: WireMessage[] = []
  let turn: WireMessage[] = []
  let told: Tally = tally([], model)

  function find(id: string): WireMessage | undefined {
    return messages.findLast(({ info }) => info.id === id)
  }

  function put(info: MessageInfo): void {
    const index = messages.findLastIndex((message) => message.info.id === info.id)
    if (index === -1) messages.push({ info, parts: [] })
    else messages[index] = { info, parts: messages[index]!.parts }
    turn = turnMessages(messages, messageID)
  }

  function putPart(part: WirePart): WireMessage | undefined {
    const message = find(part.messageID)
    if (!message) return undefined
    const index = message.parts.findLastIndex(({ id }) => id === part.id)
    if (index === -1) message.parts.push(part)
    else message.parts[index] = part
    if (message.info.role === 'user') turn = turnMessages(messages, messageID)
    return message
  }

  function isAnswer({ info }: WireMessage): boolean {
    return info.role === 'assistant' && !info.summary && turn.some((message) => message.info.id === info.id)
  }

  /** Never less than before: an event may be older than the list that was taken before it was read. */
  function usage(): TurnEvent[] {
    const now = tally(turn, model)
    if (now.steps < told.steps || now.costMicroUsd < told.costMicroUsd) return []
    const isNews = now.steps > told.steps || now.costMicroUsd > told.costMicroUsd
    told = now
    const { usage, costMicroUsd, steps } = now
    const goesOn = judge(turn).state !== 'ended'
    return isNews ? [{ type: 'usage', usage, costMicroUsd, steps, goesOn }] : []
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
      messages = all.map(({ info, parts }) => ({ info, parts: [...parts] }))
      turn = turnMessages(messages, messageID)
      const answers = turn.filter(isAnswer)
      return [...answers.flatMap((answer) => listAnswer(answer, answer === answers.at(-1))), ...usage()]
    },

    event(event) {
      switch (event.type) {
        case 'message':
          put(event.info)
          return usage()
        case 'delta':
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
          if (part.type === 'step-start') return texts.discardHeard('retry', part.messageID)
          if (!isText(part)) return []
          return part.time?.end === undefined ? texts.opened(part, 'event') : texts.ended(part)
        }
        default:
          return []
      }
    },

    disconnected: () => texts.disconnected(),
    settled: () => texts.announceBlind(),
    tapped: texts.tapped,
    untapped: texts.untapped,
    hasUntoldBlind: texts.hasUntoldBlind,
    lost: () => texts.discard('resume'),
    has: (id) => turn.some(({ info }) => info.id === id),
    verdict: () => judge(turn),
    tally: () => {
      const now = tally(turn, model)
      return now.steps < told.steps || now.costMicroUsd < told.costMicroUsd ? told : now
    },
  }
}

function isText(part: WirePart): part is TextPart {
  return part.type === 'text' || part.type === 'reasoning'
}
