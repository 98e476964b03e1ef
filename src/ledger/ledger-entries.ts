/**
 * How the ledger of a day lies in Redis: one hash, a field for each figure of each group, moved by `HINCRBY`.
 *
 * `["acme/nano","fast","lint",null]c` → 27. Figures of 0 have no field. Pure.
 */
import type { ModelID } from '../tasks/model-id.ts'
import { figuresOf, type SpentOnModel, type SpentTotal } from './spent.ts'

/** What costs can be told apart by, besides the day. */
export interface LedgerGroup {
  model: ModelID
  tier: string | null
  type: string | null
  /** Name of the API key. */
  key: string | null
}

export interface LedgerLine extends LedgerGroup, SpentTotal {
  /** Tasks that came to their end, by the model they ended with. */
  succeeded: number
  others: number
}

/** Field and amount in turn, as `write.lua` takes them. */
export type LedgerEntries = readonly (string | number)[]

/** Of the figures of `figuresOf`, in their order. */
const FIGURES = ['i', 'o', 'r', 'h', 'w', 'c', 'e'] as const
const SUCCEEDED = 's'
const OTHERS = 'f'

export function spentEntries(group: Omit<LedgerGroup, 'model'>, line: SpentOnModel): LedgerEntries {
  const name = nameOf({ ...group, model: line.model })
  return figuresOf(line).flatMap((amount, index) => (amount > 0 ? [`${name}${FIGURES[index]}`, amount] : []))
}

export function endEntries(group: LedgerGroup, hasSucceeded: boolean): LedgerEntries {
  return [`${nameOf(group)}${hasSucceeded ? SUCCEEDED : OTHERS}`, 1]
}

/** The hash of a day, one line per group. */
export function readLedgerDay(hash: Readonly<Record<string, string>>): LedgerLine[] {
  const groups = new Map<string, Record<string, number>>()
  for (const [field, amount] of Object.entries(hash)) {
    const name = field.slice(0, -1)
    const figures = groups.get(name) ?? {}
    figures[field.slice(-1)] = Number(amount)
    groups.set(name, figures)
  }
  return [...groups].map(([name, figures]) => lineOf(name, (letter) => figures[letter] ?? 0))
}

function lineOf(name: string, figure: (letter: string) => number): LedgerLine {
  const [model, tier, type, key] = JSON.parse(name) as [ModelID, string | null, string | null, string | null]
  const [input, output, reasoning, cacheRead, cacheWrite, cost, estimated] = FIGURES
  return {
    ...{ model, tier, type, key },
    usage: {
      inputTokens: figure(input),
      outputTokens: figure(output),
      reasoningTokens: figure(reasoning),
      cacheReadTokens: figure(cacheRead),
      cacheWriteTokens: figure(cacheWrite),
    },
    costMicroUsd: figure(cost),
    costEstimatedMicroUsd: figure(estimated),
    succeeded: figure(SUCCEEDED),
    others: figure(OTHERS),
  }
}

function nameOf({ model, tier, type, key }: LedgerGroup): string {
  return JSON.stringify([model, tier, type, key])
}
