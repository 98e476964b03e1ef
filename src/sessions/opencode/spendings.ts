/**
 * What the requests of a session came to, by its messages. Pure.
 *
 * OpenCode counts a step that ended well, and 0 for all others. A provider bills what it has begun to answer,
 * so those are estimated: the try that was cut off or whose connection dropped, and the one that died with
 * the server. One that was refused (429, 401, 500) began nothing (docs/opencode.md "Money").
 */
import { NO_USAGE, type Usage } from '../../tasks/usage.ts'
import type { Spending } from '../backend.ts'
import type { AssistantInfo, WireMessage, WirePart } from './wire.ts'

const UNITS_PER_TOKEN = 4
/** System prompt and tools of OpenCode's own agents: 32 kB of JSON before the first message is said. */
const UNSEEN_TOKENS = 8_000

type Answer = WireMessage & { info: AssistantInfo }

export interface SpendingOptions {
  /** Which answers are asked for; the others tell how long the prompts were. */
  counts(answer: Answer): boolean
  /** True: nothing runs in the session any more. */
  isOver: boolean
  /** UTF-16 units that were heard of parts whose text the messages do not have. */
  heard?: ReadonlyMap<string, number>
}

/** @param session all that is known of it, oldest first. */
export function spendingsOf(session: readonly WireMessage[], options: SpendingOptions): Spending[] {
  const { counts, isOver, heard } = options
  const spendings: Spending[] = []
  const lastID = session.at(-1)?.info.id
  /** Tokens of the next prompt. */
  let context = UNSEEN_TOKENS
  for (const message of session) {
    const { info, parts } = message
    if (info.role === 'user') {
      context += tokensOf(sum(parts, (part) => (part.type === 'text' ? part.text.length : 0)))
      continue
    }
    const usage = countedUsage(info)
    const prompt = usage ? contextOf(usage) : context
    const isOpen = !isOver && info.id === lastID && info.time.completed === undefined && !info.error
    if (counts(message as Answer))
      spendings.push(
        ...exact(info, usage),
        ...estimates(message as Answer, { prompt, isOpen, lastID, heard }),
      )
    const results = tokensOf(sum(parts, (part) => (part.type === 'tool' ? (part.state.output ?? 0) : 0)))
    const said = usage ? usage.outputTokens + usage.reasoningTokens : tokensOf(sum(parts, unitsOf(heard)))
    context = info.summary && usage ? UNSEEN_TOKENS + said : prompt + said + results
  }
  return spendings
}

function exact(info: AssistantInfo, usage: Usage | undefined): Spending[] {
  if (!usage) return []
  const costMicroUsd = Math.round(info.cost * 1_000_000)
  return [{ id: info.id, model: modelOf(info), usage, costMicroUsd, isEstimated: false }]
}

/** The tries of one step that OpenCode does not count, oldest first. */
function estimates(
  { info, parts }: Answer,
  known: {
    prompt: number
    isOpen: boolean
    lastID: string | undefined
    heard: ReadonlyMap<string, number> | undefined
  },
): Spending[] {
  const { prompt, isOpen, lastID, heard } = known
  const tries = triesOf(parts)
  const isCounted = countedUsage(info) !== undefined
  // The last try is the one that ended well, or still runs.
  const failed = isCounted || isOpen ? tries.slice(0, -1) : tries
  const isDead = info.time.completed === undefined && !info.error && info.id !== lastID
  const isCut = info.error?.name === 'MessageAbortedError' || isDead
  // Cut off before the first word: it was asked all the same.
  if (failed.length === 0 && isCut && !isCounted && !isOpen) failed.push([])
  return failed.map((said, index) => ({
    id: `${info.id}~${index + 1}`,
    model: modelOf(info),
    usage: { ...NO_USAGE, inputTokens: prompt, outputTokens: tokensOf(sum(said, unitsOf(heard))) },
    costMicroUsd: 0,
    isEstimated: true,
  }))
}

/** Each try that its provider began to answer starts with a `step-start`. */
function triesOf(parts: readonly WirePart[]): WirePart[][] {
  const tries: WirePart[][] = []
  for (const part of parts) {
    if (part.type === 'step-start') tries.push([])
    else tries.at(-1)?.push(part)
  }
  return tries
}

/** What OpenCode has counted; `undefined`: nothing (yet). */
function countedUsage({ tokens, cost, finish }: AssistantInfo): Usage | undefined {
  const usage: Usage = {
    inputTokens: tokens?.input ?? 0,
    outputTokens: tokens?.output ?? 0,
    reasoningTokens: tokens?.reasoning ?? 0,
    cacheReadTokens: tokens?.cache.read ?? 0,
    cacheWriteTokens: tokens?.cache.write ?? 0,
  }
  const isCounted = cost > 0 || contextOf(usage) + usage.outputTokens + usage.reasoningTokens > 0
  return isCounted || (finish !== undefined && finish !== 'error') ? usage : undefined
}

function contextOf({ inputTokens, cacheReadTokens, cacheWriteTokens }: Usage): number {
  return inputTokens + cacheReadTokens + cacheWriteTokens
}

function unitsOf(heard: ReadonlyMap<string, number> | undefined): (part: WirePart) => number {
  return (part) => {
    if (part.type === 'text' || part.type === 'reasoning')
      return Math.max(part.text.length, heard?.get(part.id) ?? 0)
    return part.type === 'tool' ? JSON.stringify(part.state.input ?? {}).length : 0
  }
}

function modelOf({ providerID, modelID }: AssistantInfo): Spending['model'] {
  return `${providerID}/${modelID}`
}

function tokensOf(units: number): number {
  return Math.ceil(units / UNITS_PER_TOKEN)
}

function sum<T>(items: readonly T[], count: (item: T) => number): number {
  return items.reduce((total, item) => total + count(item), 0)
}
