/**
 * What became of a turn, by the list of its messages. Pure.
 *
 * This alone decides that a turn is over: events only say when to look (docs/opencode.md "Completion").
 */
import { joinAnswer } from '../answer.ts'
import type { TurnError } from '../backend.ts'
import { turnError } from './turn-error.ts'
import { answersOf } from './turn-messages.ts'
import type { WireMessage } from './wire.ts'

export type Verdict =
  /** The session does not have the message. */
  | { state: 'absent' }
  /** Taken, and nothing has come of it yet. */
  | { state: 'unanswered' }
  /** In the middle; running or lost, which the messages do not tell. */
  | { state: 'unfinished' }
  /** Over if the session is idle: aborted while it waited to try again. Else a compaction is about to begin. */
  | { state: 'over-if-idle' }
  | { state: 'ended'; ending: Ending }

export type Ending =
  | { status: 'finished'; finish: string; text: string }
  | { status: 'aborted' }
  | { status: 'failed'; error: TurnError }

/** @param turn as `turnMessages` gives it. */
export function judge(turn: readonly WireMessage[]): Verdict {
  const last = turn.at(-1)
  if (!last) return { state: 'absent' }
  const answers = answersOf(turn)
  if (answers.length === 0) return { state: 'unanswered' }
  if (last.info.role === 'user') return { state: 'unfinished' }
  const { error, finish, summary, time } = last.info
  if (error?.name === 'MessageAbortedError') return { state: 'ended', ending: { status: 'aborted' } }
  if (error) return { state: 'ended', ending: { status: 'failed', error: turnError(error) } }
  if (summary || time.completed === undefined) return { state: 'unfinished' }
  if (finish === undefined) return { state: 'over-if-idle' }
  if (finish === 'tool-calls' || finish === 'unknown') return { state: 'unfinished' }
  const text = joinAnswer(answers.flatMap(({ info, parts }) => (info.summary ? [] : textsOf(parts))))
  return { state: 'ended', ending: { status: 'finished', finish, text } }
}

function textsOf(parts: WireMessage['parts']): string[] {
  // A part without an end was given up: its provider's connection dropped.
  return parts.flatMap((part) => (part.type === 'text' && part.time?.end !== undefined ? [part.text] : []))
}
