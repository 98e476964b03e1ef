/** What a running agent wants to know of a person, and the answer. */
import { z } from 'zod'

export const AskQuestion = z.object({
  question: z.string(),
  header: z.string(),
  options: z.array(z.object({ label: z.string(), description: z.string() })),
  /** More than one of the options may be the answer. */
  multiple: z.boolean(),
})
export type AskQuestion = z.infer<typeof AskQuestion>

/** What is asked for, whatever becomes of it. */
export const AskSubject = z.object({
  kind: z.enum(['permission', 'question']),
  /** `bash`, `edit`, …; `null` of a question. */
  permission: z.string().nullable(),
  /** What is to be done: commands, paths. */
  patterns: z.array(z.string()),
  /** Empty of a permission. */
  questions: z.array(AskQuestion),
})
export type AskSubject = z.infer<typeof AskSubject>

export const Ask = AskSubject.extend({
  id: z.string(),
  /** `denied`: by its deadline, or because the task went on or ended without it. */
  state: z.enum(['open', 'answered', 'denied']),
  askedAt: z.int(),
  /** When it is denied. */
  deadlineAt: z.int(),
})
export type Ask = z.infer<typeof Ask>
export const AskList = z.object({ data: z.array(Ask) })

const Message = z.string().min(1).max(4096)

/** `always`: for the rest of the task, as far as OpenCode proposes. */
const Reply = z.strictObject({
  reply: z.enum(['once', 'always', 'reject']),
  message: Message.optional().meta({ description: 'Why; the agent reads it.' }),
})

const Answers = z.strictObject({
  answers: z
    .array(z.array(z.string().min(1).max(4096)).min(1).max(20))
    .min(1)
    .max(20)
    .meta({ description: 'One list for each question: labels of its options, or any text.' }),
})

/** `reply` to a permission, or to a question that is turned down; `answers` to questions. */
export const AskAnswer = z.union([Reply, Answers])
export type AskAnswer = z.infer<typeof AskAnswer>
