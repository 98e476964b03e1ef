/** What the demo ends with: where each task went, and what it cost. Pure. */
import { formatCount } from '../format/count.ts'
import { formatDuration } from '../format/duration.ts'
import { formatMicroUsd } from '../format/money.ts'
import { type Column, renderGrid } from '../format/table.ts'

export interface DemoResult {
  label: string
  type: string | null
  tier: string | null
  /** What the route says, one for each message. */
  modelsAsked: readonly string[]
  /** What the provider was really asked for, one for each message. */
  modelsSeen: readonly string[]
  tokens: number
  costMicroUsd: number
  timeMs: number
  /** It succeeded, and went where the table says. */
  ok: boolean
}

export interface DemoTotal {
  tokens: number
  costMicroUsd: number
  /** The same tokens, all of them on the dearest model. */
  dearest: { model: string; costMicroUsd: number }
}

const COLUMNS: readonly Column[] = [
  { title: '' },
  { title: 'task' },
  { title: 'type' },
  { title: 'tier' },
  { title: 'model asked' },
  { title: 'model the provider saw' },
  { title: 'tokens', align: 'right' },
  { title: 'cost', align: 'right' },
  { title: 'time', align: 'right' },
]

/** One task a row; a task with several models has a line for each. */
export function renderResults(results: readonly DemoResult[]): string {
  return renderGrid(
    COLUMNS,
    results.map((result) => [
      result.ok ? '✓' : '✗',
      result.label,
      result.type ?? '-',
      result.tier ?? '-',
      shorten(result.modelsAsked),
      shorten(result.modelsSeen),
      formatCount(result.tokens),
      formatMicroUsd(result.costMicroUsd),
      formatDuration(result.timeMs),
    ]),
  )
}

/** `12 tasks, 41,234 tokens, $0.0123. All on acme/big: $0.1500, so 92 % are saved.` */
export function renderTotal(
  results: readonly DemoResult[],
  { tokens, costMicroUsd, dearest }: DemoTotal,
): string {
  const saved = dearest.costMicroUsd === 0 ? 0 : 1 - costMicroUsd / dearest.costMicroUsd
  return [
    `${results.length} ${results.length === 1 ? 'task' : 'tasks'}, ${formatCount(tokens)} tokens, ${formatMicroUsd(costMicroUsd)}.`,
    `All on ${dearest.model}: ${formatMicroUsd(dearest.costMicroUsd)}, so ${Math.round(saved * 100)} % are saved.`,
  ].join(' ')
}

/** Equal models are shown once: only an override makes a second line. */
function shorten(models: readonly string[]): string {
  return (new Set(models).size > 1 ? models : models.slice(0, 1)).join('\n')
}
