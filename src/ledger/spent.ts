/** What was spent, model by model. Pure. */
import type { ModelID } from '../tasks/model-id.ts'
import { addUsage, NO_USAGE, type Usage } from '../tasks/usage.ts'

export interface SpentOnModel extends SpentTotal {
  model: ModelID
}

export interface SpentTotal {
  /** As far as it was counted; estimates have no part in it. */
  usage: Usage
  costMicroUsd: number
  /** What nobody has counted and a provider may bill: comes on top of `costMicroUsd`. */
  costEstimatedMicroUsd: number
}

/** A model stands in it once. */
export type Spent = readonly SpentOnModel[]

const NOTHING_SPENT: SpentTotal = Object.freeze({
  usage: NO_USAGE,
  costMicroUsd: 0,
  costEstimatedMicroUsd: 0,
})

export function addSpent(a: Spent, b: Spent): Spent {
  if (a.length === 0 || b.length === 0) return a.length === 0 ? b : a
  return merge(a, b, (x, y) => x + y)
}

/** Of two reports on the same thing, figure by figure the higher one: reports only ever grow. */
export function atLeast(a: Spent, b: Spent): Spent {
  if (a.length === 0 || b.length === 0) return a.length === 0 ? b : a
  return merge(a, b, Math.max)
}

/** How much more it is than before; models with nothing more are left out. */
export function increaseOf(now: Spent, before: Spent): Spent {
  const negative = before.map(({ model, ...figures }) => ({ model, ...each(figures, figures, (x) => -x) }))
  return addSpent(now, negative).filter((line) => figuresOf(line).some((figure) => figure > 0))
}

export function totalOf(spent: Spent): SpentTotal {
  const [first, ...more] = spent
  if (first === undefined) return NOTHING_SPENT
  const { model: _, ...total } = first
  return more.reduce<SpentTotal>((sum, line) => each(sum, line, (x, y) => x + y), total)
}

/** `[["acme/nano",250,6,0,0,0,27,0]]`: a record holds it for as long as it is kept. */
export function formatSpent(spent: Spent): string {
  return spent.length === 0 ? '' : JSON.stringify(spent.map((line) => [line.model, ...figuresOf(line)]))
}

/** What `formatSpent` has written. */
export function parseSpent(text: string | undefined): Spent {
  if (!text) return []
  return (JSON.parse(text) as [ModelID, ...Figures][]).map(
    ([model, inputTokens, outputTokens, reasoningTokens, cacheReadTokens, cacheWriteTokens, ...costs]) => ({
      model,
      usage: { inputTokens, outputTokens, reasoningTokens, cacheReadTokens, cacheWriteTokens },
      costMicroUsd: costs[0],
      costEstimatedMicroUsd: costs[1],
    }),
  )
}

/** Tokens as in `Usage`, then the two costs. */
type Figures = [number, number, number, number, number, number, number]

export function figuresOf(total: SpentTotal): Figures {
  const { inputTokens, outputTokens, reasoningTokens, cacheReadTokens, cacheWriteTokens } = total.usage
  const { costMicroUsd: cost, costEstimatedMicroUsd: estimated } = total
  return [inputTokens, outputTokens, reasoningTokens, cacheReadTokens, cacheWriteTokens, cost, estimated]
}

type Combine = (x: number, y: number) => number

function merge(a: Spent, b: Spent, combine: Combine): Spent {
  const models = new Set([...a, ...b].map(({ model }) => model))
  const of = (spent: Spent, model: ModelID) => spent.find((line) => line.model === model) ?? NOTHING_SPENT
  return [...models].map((model) => ({ model, ...each(of(a, model), of(b, model), combine) }))
}

function each(a: SpentTotal, b: SpentTotal, combine: Combine): SpentTotal {
  const [x, y] = [a.usage, b.usage]
  return {
    usage: {
      inputTokens: combine(x.inputTokens, y.inputTokens),
      outputTokens: combine(x.outputTokens, y.outputTokens),
      reasoningTokens: combine(x.reasoningTokens, y.reasoningTokens),
      cacheReadTokens: combine(x.cacheReadTokens, y.cacheReadTokens),
      cacheWriteTokens: combine(x.cacheWriteTokens, y.cacheWriteTokens),
    },
    costMicroUsd: combine(a.costMicroUsd, b.costMicroUsd),
    costEstimatedMicroUsd: combine(a.costEstimatedMicroUsd, b.costEstimatedMicroUsd),
  }
}

/** Sum over any number of lines, each with a model of its own or not. */
export function sumByModel(lines: Iterable<SpentOnModel>): Spent {
  const sums = new Map<ModelID, SpentOnModel>()
  for (const line of lines) {
    const known = sums.get(line.model)
    sums.set(
      line.model,
      known === undefined
        ? line
        : {
            model: line.model,
            usage: addUsage(known.usage, line.usage),
            costMicroUsd: known.costMicroUsd + line.costMicroUsd,
            costEstimatedMicroUsd: known.costEstimatedMicroUsd + line.costEstimatedMicroUsd,
          },
    )
  }
  return [...sums.values()]
}
