/** How long a prompt is in tokens, as far as anybody can tell without the tokenizer of the model. Pure. */
import { type AnyPart, messagesOf, type ParsedMessage, type ParsedTaskInput, partsOf } from './input.ts'

/**
 * Of UTF-8: the rule of thumb of OpenAI, and what OpenCode itself counts with, is four characters of English.
 * By bytes, other scripts count more a character, as they do in tokenizers.
 */
const BYTES_PER_TOKEN = 4

/** What Anthropic counts for the largest image it looks at. How many pixels or pages a file has is not read here. */
const FILE_TOKENS = 1_600

export interface PromptSize {
  /** All messages together. */
  readonly totalTokens: number
  /** The longest message that goes to the model of the route; 0 where each has a model of its own. */
  readonly longestTokens: number
}

export function estimatePrompt(input: ParsedTaskInput): PromptSize {
  let totalTokens = 0
  let longestTokens = 0
  for (const message of messagesOf(input)) {
    const tokens = estimateMessage(message)
    totalTokens += tokens
    if (message.model === undefined) longestTokens = Math.max(longestTokens, tokens)
  }
  return { totalTokens, longestTokens }
}

/** The longest that text of so many bytes can be. */
export function mostTokens(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_TOKEN)
}

/** Text and system prompt by their bytes, an image or document as one of usual size. */
export function estimateMessage(message: ParsedMessage): number {
  let bytes = message.system === undefined ? 0 : Buffer.byteLength(message.system)
  let files = 0
  for (const part of partsOf(message)) {
    if (part.type === 'text') bytes += Buffer.byteLength(part.text)
    else if (part.type === 'file' && part.mime.startsWith('text/')) bytes += textBytes(part)
    else if (part.type === 'file') files += 1
  }
  return mostTokens(bytes) + files * FILE_TOKENS
}

/** 0 for a file on the disk: OpenCode reads it when the message is sent, and at most 50 KB of it. */
function textBytes({ url }: Extract<AnyPart, { type: 'file' }>): number {
  if (!url.startsWith('data:')) return 0
  const comma = url.indexOf(',')
  const length = url.length - comma - 1
  return url.startsWith(';base64', comma - ';base64'.length) ? Math.floor((length * 3) / 4) : length
}
