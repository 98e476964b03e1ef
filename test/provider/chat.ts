/** Reads a chat completion request the way the ledger and the script need it. Pure. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { ModelID } from '../../src/tasks/model-id.ts'
import { markerIn, type NewEntry } from './ledger.ts'
import { tokensOf } from './words.ts'

const TextPart = z.object({ type: z.literal('text'), text: z.string() })
const Content = z.union([
  z.string(),
  z.array(z.union([TextPart, z.looseObject({ type: z.string() })])),
  z.null(),
])

/** As OpenAI's, as far as it is looked at. */
export const ChatRequest = z.looseObject({
  model: z.string(),
  stream: z.boolean().default(false),
  messages: z.array(z.looseObject({ role: z.string(), content: Content.optional() })).min(1),
})
export type ChatRequest = z.infer<typeof ChatRequest>

export interface Chat extends NewEntry {
  promptTokens: number
}

// How OpenCode's own agents introduce themselves.
const TITLE_AGENT = /\btitle generator\b/i
const SUMMARY_AGENT = /\bcontext summarization agent\b/i

export function readChat(request: ChatRequest, providerID: string, sessionID: string | null): Chat {
  const { messages } = request
  const textOf = (message: (typeof messages)[number]): string => plainText(message.content)
  const system = messages.filter(({ role }) => role === 'system').map(textOf)
  const users = messages.filter(({ role }) => role === 'user').map(textOf)
  const turn = messages.slice(messages.findLastIndex(({ role }) => role === 'user') + 1)
  const toolResults = turn.filter(({ role }) => role === 'tool').map(textOf)
  const prompt = users.at(-1) ?? ''
  const kind = system.some((text) => TITLE_AGENT.test(text))
    ? 'title'
    : system.some((text) => SUMMARY_AGENT.test(text))
      ? 'summary'
      : 'answer'
  return {
    sessionID,
    model: `${providerID}/${request.model}` as ModelID,
    kind,
    marker: users.map(markerIn).findLast((marker) => marker !== null) ?? null,
    prompt,
    system: system.join('\n'),
    toolResults,
    // Without the model's own words: those of a dead try may be there or not.
    promptHash: createHash('sha256')
      .update(JSON.stringify([kind, users, toolResults]))
      .digest('hex')
      .slice(0, 16),
    step: toolResults.length,
    promptTokens: tokensOf(JSON.stringify(messages)),
  }
}

function plainText(content: z.infer<typeof Content> | undefined): string {
  if (typeof content === 'string') return content
  return (content ?? []).map((part) => (typeof part.text === 'string' ? part.text : '')).join('\n')
}
