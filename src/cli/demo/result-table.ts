/** What the demo ends with: where each task went, and what it cost. Pure. */
import { formatCount } from '../format/count.ts'
import { formatDuration } from '../format/duration.ts'
import { formatMicroUsd } from '../format/money.ts'
import { type Column, renderColumns, renderGrid } from '../format/table.ts'

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

const NARROW_TITLES = ['', 'task', 'type', 'tier', 'model', 'saw', 'tokens', 'cost', 'time']
const SHORTEST_LABEL = 8

/**
 * One task a row; a task with several models has a line for each. Where the terminal is narrower than that,
 * without lines, and with "same" for a model that was asked for and seen.
 */
export function renderResults(results: readonly DemoResult[], columns = Number.POSITIVE_INFINITY): string {
  const grid = renderGrid(
    COLUMNS,
    results.map((result) => cellsOf(result, shorten(result.modelsSeen))),
  )
  if (widthOf(grid) <= columns) return grid
  const labels = Math.max(...results.map(({ label }) => label.length))
  const narrow = narrowTable(results, labels)
  const missing = widthOf(narrow) - columns
  return missing > 0 ? narrowTable(results, Math.max(SHORTEST_LABEL, labels - missing)) : narrow
}

function narrowTable(results: readonly DemoResult[], labelLength: number): string {
  return renderColumns(
    COLUMNS.map(({ align }, index) => ({ title: NARROW_TITLES[index]!, ...(align && { align }) })),
    results.flatMap((result) => {
      const { label, modelsAsked, modelsSeen } = result
      const short = label.length > labelLength ? `${label.slice(0, labelLength - 1)}…` : label
      const seen = modelsSeen.map((model, index) => (model === modelsAsked[index] ? 'same' : model))
      const cells = cellsOf({ ...result, label: short }, seen.join('\n')).map((cell) => cell.split('\n'))
      const lines = Math.max(linesOf(modelsAsked), linesOf(modelsSeen))
      return Array.from({ length: lines }, (_, line) => cells.map((cell) => cell[line] ?? ''))
    }),
  )
}

function cellsOf(result: DemoResult, seen: string): string[] {
  return [
    result.ok ? '✓' : '✗',
    result.label,
    result.type ?? '-',
    result.tier ?? '-',
    shorten(result.modelsAsked),
    seen,
    formatCount(result.tokens),
    formatMicroUsd(result.costMicroUsd),
    formatDuration(result.timeMs),
  ]
}

function widthOf(table: string): number {
  return Math.max(...table.split('\n').map(({ length }) => length))
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

function linesOf(models: readonly string[]): number {
  return shorten(models).split('\n').length
}

/** Equal models are shown once: only an override makes a second line. */
function shorten(models: readonly string[]): string {
  return (new Set(models).size > 1 ? models : models.slice(0, 1)).join('\n')
}
