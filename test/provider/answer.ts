/** Writes one scripted step as a chat completion, streamed or whole. */
import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { isHit, type ScriptStep } from './directives.ts'
import type { Holds } from './holds.ts'
import type { LedgerEntry, ProviderUsage } from './ledger.ts'
import { billMicroUsd } from './models.ts'
import { chunksOf, tokensOf } from './words.ts'

export interface AnswerParts {
  entry: LedgerEntry
  step: ScriptStep
  promptTokens: number
  isStream: boolean
  holds: Holds
  /** Aborts when the client goes away. */
  signal: AbortSignal
}

/** Resolves when all is written, or when the script broke the answer off. Rejects when the client goes away. */
export async function answer(response: ServerResponse, parts: AnswerParts): Promise<void> {
  const { entry, step, signal } = parts
  const hit = (fault: { first: number } | undefined): boolean => isHit(step, fault, entry)
  if (hit(step.hang)) await gone(signal)
  if (step.refuse && hit(step.refuse)) return refuse(response, entry, step.refuse)

  const frames = createFrames(response, parts)
  let said = ''
  for (const action of step.actions) {
    if (action.do === 'hold' || action.do === 'wait') {
      frames.flush()
      await (action.do === 'hold'
        ? parts.holds.pass(action.name, signal)
        : sleep(action.ms, undefined, { signal }))
    } else if ('text' in action) {
      const field = action.do === 'say' ? 'content' : 'reasoning_content'
      for (const chunk of chunksOf(action.text, step.chunkUnits)) {
        frames.delta({ [field]: chunk })
        if (action.do === 'say') entry.text += chunk
        said += chunk
        if (step.chunkMs === 0) continue
        frames.flush()
        await sleep(step.chunkMs, undefined, { signal })
      }
    } else if (hit(action)) {
      if (action.do === 'malformed') frames.raw('data: {"choices": [{"delta": {"content": \n\n')
      frames.flush()
      if (action.do === 'stall') await gone(signal)
      // Not before what was said is on its way: the script says where the answer breaks.
      else if (action.do === 'drop') return cut(response)
    }
  }
  if (step.call) {
    const call = { name: step.call.tool, arguments: JSON.stringify(step.call.input) }
    frames.delta({ tool_calls: [{ index: 0, id: `call_${entry.id}`, type: 'function', function: call }] })
    said += call.arguments
  }
  const usage = step.usage ?? {
    promptTokens: parts.promptTokens,
    outputTokens: tokensOf(said),
    cachedTokens: 0,
  }
  const finish = step.finish ?? (step.call ? 'tool_calls' : 'stop')
  bill(entry, usage)
  await frames.end(hit(step.noFinish) ? null : finish, usage)
}

/** Before the last frame leaves: who has seen the end finds it in the ledger. */
function bill(entry: LedgerEntry, usage: ProviderUsage): void {
  entry.usage = usage
  entry.costMicroUsd = billMicroUsd(entry.model, usage)
  entry.streamedToEnd = true
}

function refuse(
  response: ServerResponse,
  entry: LedgerEntry,
  refusal: NonNullable<ScriptStep['refuse']>,
): void {
  entry.status = refusal.status
  const { retryAfterS } = refusal
  const error = refusal.overflow
    ? {
        message: 'This model reached its maximum context length.',
        type: 'invalid_request_error',
        code: 'context_length_exceeded',
      }
    : { message: `Scripted answer ${refusal.status}`, type: 'scripted', code: `scripted_${refusal.status}` }
  response.writeHead(refusal.status, {
    'content-type': 'application/json',
    ...(retryAfterS !== undefined && { 'retry-after': String(retryAfterS) }),
  })
  response.end(JSON.stringify({ error }))
}

interface Frames {
  delta(delta: Record<string, unknown>): void
  raw(text: string): void
  /** Sends what has gathered. Chunks between two waits leave in one write. */
  flush(): void
  end(finish: string | null, usage: ProviderUsage): Promise<void>
}

function createFrames(response: ServerResponse, { entry, isStream }: AnswerParts): Frames {
  let gathered = ''
  const message: Record<string, unknown> = { role: 'assistant', content: '' }
  const base = {
    id: `chatcmpl-${entry.id}`,
    object: isStream ? 'chat.completion.chunk' : 'chat.completion',
    created: Math.floor(entry.at / 1000),
    model: entry.model.slice(entry.model.indexOf('/') + 1),
  }
  const frame = (rest: object): void => {
    gathered += `data: ${JSON.stringify({ ...base, ...rest })}\n\n`
  }
  function flush(): void {
    if (!isStream || gathered === '') return
    if (!response.headersSent)
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
    response.write(gathered)
    gathered = ''
  }
  return {
    delta(delta) {
      for (const [key, value] of Object.entries(delta))
        message[key] = typeof value === 'string' ? `${message[key] ?? ''}${value}` : value
      frame({ choices: [{ index: 0, delta: { role: 'assistant', ...delta }, finish_reason: null }] })
    },
    raw(text) {
      gathered += text
    },
    flush,
    end(finish, usage) {
      const counted = {
        prompt_tokens: usage.promptTokens,
        completion_tokens: usage.outputTokens,
        total_tokens: usage.promptTokens + usage.outputTokens,
        prompt_tokens_details: { cached_tokens: usage.cachedTokens },
      }
      if (finish !== null) frame({ choices: [{ index: 0, delta: {}, finish_reason: finish }] })
      frame({ choices: [], usage: counted })
      gathered += 'data: [DONE]\n\n'
      flush()
      const body = { ...base, choices: [{ index: 0, message, finish_reason: finish }], usage: counted }
      if (!isStream) response.writeHead(200, { 'content-type': 'application/json' })
      return new Promise((resolve) => response.end(isStream ? '' : JSON.stringify(body), resolve))
    },
  }
}

/** Ends the connection in the middle of the answer, after what was written has left. */
function cut(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const { socket } = response
    if (!response.headersSent || !socket) {
      response.destroy()
      resolve()
      return
    }
    socket.write('', () => {
      response.destroy()
      resolve()
    })
  })
}

/** Never resolves; rejects when the client goes away. */
function gone(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
