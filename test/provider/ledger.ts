/** What a model provider was asked and would bill: the oracle for double spending. */
import type { ModelID } from '../../src/tasks/model-id.ts'

export interface LedgerEntry {
  /** `req-1`, `req-2`, … in order of arrival. */
  id: string
  at: number
  endedAt: number | null
  /** Provider by the URL that was called, model by the body: what a real provider would see. */
  model: ModelID
  /** `title` and `summary` are requests that OpenCode makes on its own. */
  kind: 'answer' | 'title' | 'summary'
  /** As OpenCode names it in a header; `null` for any other client. */
  sessionID: string | null
  /** The last `#task-…` in the prompt. */
  marker: string | null
  /** The last user message, cut at 500 characters. */
  prompt: string
  /** The end of the system prompt, where OpenCode puts a message's own; 500 characters. */
  system: string
  /** What the tools of this turn answered so far, each cut at 500 characters. */
  toolResults: string[]
  /** Same for the same step of the same turn, whoever asks: two of these streamed to the end are paid twice. */
  promptHash: string
  /** Tool results in the turn so far. */
  step: number
  /** The how many-th request with this prompt and step in its session, from 1: what `@drop:1` counts. */
  attempt: number
  /** HTTP status answered. */
  status: number
  streamedToEnd: boolean
  /** The client went away before the end. */
  aborted: boolean
  /** Text sent so far, without reasoning. */
  text: string
  usage: ProviderUsage | null
  costMicroUsd: number
}

/** As providers count: cached tokens are part of the prompt's. */
export interface ProviderUsage {
  promptTokens: number
  outputTokens: number
  cachedTokens: number
}

export interface LedgerFilter {
  marker?: string
  model?: ModelID
  kind?: LedgerEntry['kind']
}

export interface Ledger {
  /** Every request, oldest first; live objects, which go on filling while an answer streams. */
  entries(filter?: LedgerFilter): readonly LedgerEntry[]
  /** Those that were streamed to the end: what is paid for. */
  paid(filter?: LedgerFilter): readonly LedgerEntry[]
  open(request: NewEntry): LedgerEntry
  clear(): void
}

export type NewEntry = Pick<
  LedgerEntry,
  'sessionID' | 'model' | 'kind' | 'marker' | 'prompt' | 'system' | 'toolResults' | 'promptHash' | 'step'
>

export function createLedger(): Ledger {
  const all: LedgerEntry[] = []
  const attempts = new Map<string, number>()
  let count = 0

  function entries({ marker, model, kind }: LedgerFilter = {}): LedgerEntry[] {
    return all.filter(
      (entry) =>
        (marker === undefined || entry.marker === marker) &&
        (model === undefined || entry.model === model) &&
        (kind === undefined || entry.kind === kind),
    )
  }

  return {
    entries,
    paid: (filter) => entries(filter).filter((entry) => entry.streamedToEnd),
    open(request) {
      const { sessionID, model, kind, marker, prompt, system, toolResults, promptHash, step } = request
      const key = JSON.stringify([sessionID, kind, prompt, step])
      const attempt = (attempts.get(key) ?? 0) + 1
      attempts.set(key, attempt)
      count += 1
      const entry: LedgerEntry = {
        id: `req-${count}`,
        sessionID,
        model,
        kind,
        marker,
        prompt: prompt.slice(0, 500),
        system: system.slice(-500),
        toolResults: toolResults.map((text) => text.slice(0, 500)),
        promptHash,
        step,
        attempt,
        at: Date.now(),
        endedAt: null,
        status: 200,
        streamedToEnd: false,
        aborted: false,
        text: '',
        usage: null,
        costMicroUsd: 0,
      }
      all.push(entry)
      return entry
    },
    clear() {
      all.length = 0
      attempts.clear()
    },
  }
}

const MARKERS = /#(task-[\w-]+)/g

/** `do this #task-7` → `task-7`: the last one counts. */
export function markerIn(prompt: string): string | null {
  return [...prompt.matchAll(MARKERS)].at(-1)?.[1] ?? null
}
