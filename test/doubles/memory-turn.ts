/** One turn of the memory backend: the script of its prompt, played into a log that any number of readers follow. */
import { randomUUID } from 'node:crypto'
import { joinAnswer } from '../../src/sessions/answer.ts'
import type { Spending, Turn, TurnError, TurnEvent, TurnOutcome } from '../../src/sessions/backend.ts'
import type { AskAnswer, AskQuestion } from '../../src/tasks/ask.ts'
import { actionFor, type PermissionRule } from '../../src/tasks/permissions.ts'
import { NO_USAGE } from '../../src/tasks/usage.ts'
import { isHit, parseScript, type Script, type ScriptStep } from '../provider/directives.ts'
import type { Holds } from '../provider/holds.ts'
import { type Ledger, type LedgerEntry, markerIn, type ProviderUsage } from '../provider/ledger.ts'
import { billMicroUsd } from '../provider/models.ts'
import { chunksOf, tokensOf } from '../provider/words.ts'

const PROVIDER_TRIES = 6

export interface MemoryTurn {
  readonly log: readonly TurnEvent[]
  /** Set when the turn is over; undefined while it runs or when it is lost. */
  outcome(): TurnOutcome | undefined
  isLost(): boolean
  /** Calls back after each change; returns the way to stop that. */
  watch(listener: () => void): () => void
  abort(): void
  /** As if it was over now. */
  spendings(): readonly Spending[]
  /** What it waits for an answer to. */
  asks(): readonly Asked[]
  /** `false`: it does not wait for that. */
  answer(askID: string, answer: AskAnswer): boolean
  /** As if the server was killed: stops without an end. */
  lose(): void
  /** Goes on with a lost turn, or does nothing. */
  resume(reason: string): void
}

export type Asked = Extract<TurnEvent, { type: 'asked' }>

export interface MemoryTurnParts {
  rules: readonly PermissionRule[]
  turn: Turn
  prompt: string
  script: Script
  ledger: Ledger
  holds: Holds
}

class Refused extends Error {
  readonly failure: TurnError
  constructor(failure: TurnError) {
    super(failure.message)
    this.failure = failure
  }
}

/** Starts to play at once; a script without holds and delays is over when this returns. */
export function startMemoryTurn(parts: MemoryTurnParts): MemoryTurn {
  const { turn, prompt, script, ledger, holds, rules } = parts
  const pending = new Map<string, { asked: Asked; resolve(answer: AskAnswer): void }>()
  const log: TurnEvent[] = []
  const listeners = new Set<() => void>()
  let outcome: TurnOutcome | undefined
  let lost = false
  let run = new AbortController()
  let partCount = 0
  let openPart: { partID: string; text: string; kind: 'text' | 'reasoning' } | undefined
  const answer: string[] = []
  const spendings: Spending[] = []
  /** The request that is being answered, once it has begun to be. */
  let asked: LedgerEntry | undefined
  let steps = 0
  // Outlives a lost run: what was answered before is not asked again.
  let position = 0

  function emit(event: TurnEvent): void {
    log.push(event)
    for (const listener of [...listeners]) listener()
  }

  function end(status: Ending): void {
    estimate()
    outcome = { model: turn.model, spendings, steps, ...status }
    emit({ type: 'turn-ended', outcome })
  }

  function spent(spending: Spending, goesOn = true): void {
    spendings.push(spending)
    emit({ type: 'spent', spendings: [spending], goesOn })
  }

  /** What was cut off after it began: nobody counts it. */
  function estimate(): void {
    if (asked === undefined) return
    const usage = { ...NO_USAGE, inputTokens: tokensOf(prompt), outputTokens: tokensOf(asked.text) }
    const { id, model } = asked
    asked = undefined
    spent({ id, model, usage, costMicroUsd: 0, isEstimated: true })
  }

  function stream(kind: 'text' | 'reasoning', text: string, request: string): void {
    if (openPart?.kind !== kind) {
      closePart()
      partCount += 1
      openPart = { partID: `prt_${request}_${partCount}`, text: '', kind }
    }
    emit({ type: 'text', kind, partID: openPart.partID, offset: openPart.text.length, text })
    openPart.text += text
  }

  function closePart(): void {
    if (!openPart) return
    emit({ type: 'part-ended', ...openPart })
    if (openPart.kind === 'text') answer.push(openPart.text)
    openPart = undefined
  }

  function discardPart(reason: 'retry' | 'resume'): void {
    if (openPart) emit({ type: 'part-discarded', partID: openPart.partID, reason })
    openPart = undefined
  }

  /** A generator, so that a script without waits plays to its end in one go. */
  function* play(): Generator<(signal: AbortSignal) => Promise<void>, void, void> {
    for (; position < script.steps.length; position += 1) {
      let tries = 0
      const step = script.steps[position]!
      while (!(yield* playStep(step, position))) {
        tries += 1
        if (tries === PROVIDER_TRIES) throw new Refused(gaveUp(step))
        const waitMs = (step.refuse?.retryAfterS ?? 0) * 1000
        emit({ type: 'provider-retry', attempt: tries, nextAt: Date.now() + waitMs, message: 'scripted' })
        discardPart('retry')
        if (waitMs > 0) yield (signal) => pause(waitMs, signal)
      }
    }
    end({ status: 'finished', finish: script.steps.at(-1)?.finish ?? 'stop', text: joinAnswer(answer) })
  }

  /** False: the provider refused or broke off in a way that OpenCode tries again. */
  function* playStep(
    step: ScriptStep,
    index: number,
  ): Generator<(signal: AbortSignal) => Promise<void>, boolean> {
    const request = ledger.open({
      sessionID: turn.sessionID,
      model: turn.model,
      kind: 'answer',
      marker: markerIn(prompt),
      prompt,
      system: turn.system ?? '',
      toolResults: [],
      promptHash: `${turn.messageID}/${index}`,
      step: index,
    })
    const hit = (fault: { first: number } | undefined): boolean => isHit(step, fault, request)
    if (step.refuse && hit(step.refuse)) {
      request.status = step.refuse.status
      if (step.refuse.overflow) throw new Refused(failure('context_overflow', 400, false, 'too long'))
      if (request.status === 429 || request.status >= 500) return false
      throw new Refused(
        failure([401, 403].includes(request.status) ? 'provider_auth' : 'provider_error', request.status),
      )
    }
    asked = request
    if (hit(step.hang)) yield never
    let said = ''
    for (const action of step.actions) {
      if (action.do === 'hold') yield (signal) => holds.pass(action.name, signal)
      else if (action.do === 'wait') yield (signal) => pause(action.ms, signal)
      else if ('text' in action) {
        said += action.text
        for (const chunk of whole(chunksOf(action.text, step.chunkUnits))) {
          if (step.chunkMs > 0) yield (signal) => pause(step.chunkMs, signal)
          request.text += chunk
          stream(action.do === 'say' ? 'text' : 'reasoning', chunk, request.id)
        }
      } else if (hit(action)) {
        if (action.do === 'drop') {
          estimate()
          return false
        }
        if (action.do === 'stall') yield never
        const malformed = failure('provider_error', undefined, true, 'JSON parsing failed')
        throw new Refused({ ...malformed, cause: 'malformed' })
      }
    }
    closePart()
    if (step.call?.tool === 'task') playChild((step.call.input as ToolInput).prompt ?? '')
    if (step.call) {
      const callID = `call_${turn.messageID}_${index}`
      emit({ type: 'tool-called', callID, ...step.call })
      emit({ type: 'tool-finished', callID, ...(yield* useTool(step.call)) })
    }
    asked = undefined
    const used = step.usage ?? {
      promptTokens: tokensOf(prompt),
      outputTokens: tokensOf(said),
      cachedTokens: 0,
    }
    const goesOn = hit(step.noFinish) || index < script.steps.length - 1
    spent(bill(request, used), goesOn)
    steps += 1
    emit({ type: 'step', steps, goesOn })
    // Without a finish reason OpenCode asks the model again and again, without end and without a pause.
    if (hit(step.noFinish)) {
      yield (signal) => pause(0, signal)
      return yield* playStep(step, index)
    }
    return true
  }

  /** A session below this one, in one go; its steps are no steps of the turn. */
  function playChild(childPrompt: string): void {
    for (const [step, { usage }] of parseScript(childPrompt, 'Done.').steps.entries()) {
      const { model, messageID } = turn
      const request = ledger.open({
        ...{ sessionID: `${turn.sessionID}_child`, model, kind: 'answer', marker: markerIn(prompt), step },
        ...{ prompt: childPrompt, system: '', toolResults: [], promptHash: `${messageID}/child/${step}` },
      })
      spent(bill(request, usage ?? { promptTokens: tokensOf(childPrompt), outputTokens: 1, cachedTokens: 0 }))
    }
  }

  /** As OpenCode: a rule that says `ask` holds the tool until somebody answers. */
  function* useTool({
    tool,
    input,
  }: {
    tool: string
    input: unknown
  }): Generator<(signal: AbortSignal) => Promise<void>, ToolEnd> {
    const { command, filePath, questions = [] } = input as ToolInput
    const isQuestion = tool === 'question'
    const patterns = isQuestion ? [] : [command ?? filePath ?? '*']
    const action = actionFor(rules, tool, patterns) ?? (isQuestion ? 'deny' : 'allow')
    if (action === 'deny') return { status: 'error', title: 'a rule denies it' }
    if (action === 'allow' && !isQuestion) return { status: 'completed', title: tool }
    const askID = `${isQuestion ? 'que' : 'per'}_${randomUUID().replaceAll('-', '')}`
    const kind = isQuestion ? 'question' : 'permission'
    const subject = { kind, permission: isQuestion ? null : tool, patterns, questions } as const
    let given: AskAnswer | undefined
    yield (signal) =>
      new Promise((resolve, reject) => {
        const always = patterns.map((pattern) => `${pattern.split(' ')[0]} *`)
        const asked: Asked = {
          type: 'asked',
          askID,
          always,
          subject: { ...subject, questions: [...questions] },
        }
        pending.set(askID, {
          asked,
          resolve(answer) {
            given = answer
            pending.delete(askID)
            emit({ type: 'ask-gone', askID })
            resolve()
          },
        })
        signal.addEventListener('abort', () => {
          pending.delete(askID)
          reject(signal.reason)
        })
        emit(asked)
      })
    if (given === undefined || !('reply' in given)) return { status: 'completed', title: 'Asked 1 question' }
    if (given.reply !== 'reject') return { status: 'completed', title: tool }
    const title = given.message ?? 'rejected'
    return isQuestion ? { status: 'completed', title } : { status: 'error', title }
  }

  function start(): void {
    lost = false
    run = new AbortController()
    const { signal } = run
    const player = play()
    function advance(): void {
      try {
        const next = player.next()
        if (!next.done) next.value(signal).then(advance, () => undefined)
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        closePart()
        end({ status: 'failed', error: error.failure })
      }
    }
    advance()
  }

  start()
  return {
    log,
    outcome: () => outcome,
    spendings() {
      estimate()
      return spendings
    },
    asks: () => [...pending.values()].map(({ asked }) => asked),
    answer(askID, answer) {
      const waiting = pending.get(askID)
      waiting?.resolve(answer)
      return waiting !== undefined
    },
    isLost: () => lost,
    watch(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    abort() {
      if (outcome || lost) return
      run.abort()
      closePart()
      end({ status: 'aborted' })
    },
    lose() {
      if (outcome) return
      run.abort()
      lost = true
      for (const listener of [...listeners]) listener()
    },
    resume(reason) {
      if (!lost) return
      estimate()
      discardPart('resume')
      emit({ type: 'turn-resumed', reason })
      start()
    },
  }
}

interface ToolEnd {
  status: 'completed' | 'error'
  title: string
}

interface ToolInput {
  prompt?: string
  command?: string
  filePath?: string
  questions?: AskQuestion[]
}

type Ending =
  | { status: 'finished'; finish: string; text: string }
  | { status: 'aborted' }
  | { status: 'failed'; error: TurnError }

/** Enters what a request used, and says it as a server would. */
function bill(request: LedgerEntry, used: ProviderUsage): Spending {
  request.usage = used
  request.costMicroUsd = billMicroUsd(request.model, used)
  request.streamedToEnd = true
  request.endedAt = Date.now()
  const usage = {
    ...NO_USAGE,
    inputTokens: used.promptTokens - used.cachedTokens,
    outputTokens: used.outputTokens,
    cacheReadTokens: used.cachedTokens,
  }
  const { id, model, costMicroUsd } = request
  return { id, model, usage, costMicroUsd, isEstimated: false }
}

function failure(
  code: TurnError['code'],
  httpStatus: number | undefined,
  retryable = false,
  message = 'refused',
): TurnError {
  return { code, message: `scripted: ${message}`, retryable, httpStatus }
}

function gaveUp({ refuse }: ScriptStep): TurnError {
  if (refuse) return failure('provider_error', refuse.status, true, 'gave up')
  return { ...failure('provider_error', undefined, true, 'gave up'), cause: 'network' }
}

/** A backend never shows half a character. */
function whole(chunks: readonly string[]): string[] {
  return chunks.reduce<string[]>((all, chunk) => {
    const last = all.at(-1)
    if (last === undefined || last.isWellFormed()) all.push(chunk)
    else all[all.length - 1] = last + chunk
    return all
  }, [])
}

/** Until the turn is aborted. */
function never(signal: AbortSignal): Promise<void> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(signal.reason)
    })
  })
}
