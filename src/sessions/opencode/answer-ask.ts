import type { AskAnswer } from '../../tasks/ask.ts'
import type { AskRef } from '../backend.ts'
import type { OpenCodeHttp } from './http.ts'
import { OpenCodeRefusal } from './refusal.ts'

const NO = 'This was turned down. Go on without it, or say what is missing.'

/**
 * See `SessionBackend.answerAsk`. With a reason the model goes on after a no; without one OpenCode would stop the
 * turn there. A question knows no reason, but takes any text for an answer.
 */
export async function answerAsk(
  http: OpenCodeHttp,
  { askID, kind, questions, directory }: AskRef,
  answer: AskAnswer,
): Promise<boolean> {
  try {
    if ('answers' in answer) await http.answerQuestion(askID, directory, answer.answers)
    else if (kind === 'question')
      await http.answerQuestion(askID, directory, Array(questions).fill([answer.message ?? NO]))
    else {
      const message = answer.reply === 'reject' ? (answer.message ?? NO) : answer.message
      await http.replyPermission(askID, directory, answer.reply, message)
    }
    return true
  } catch (error) {
    if (error instanceof OpenCodeRefusal && error.status === 404) return false
    throw error
  }
}
