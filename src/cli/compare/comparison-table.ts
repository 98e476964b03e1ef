/** What a comparison ends with: each answer, then a row for each model. Pure. */
import type { ComparisonRow } from '../../tasks/task.ts'
import { cleanLine, cleanText } from '../format/clean.ts'
import { formatCount, totalTokens } from '../format/count.ts'
import { formatDuration } from '../format/duration.ts'
import { formatMicroUsd } from '../format/money.ts'
import { type Column, renderGrid } from '../format/table.ts'
import type { Colors } from '../terminal.ts'

const COLUMNS: readonly Column[] = [
  { title: '' },
  { title: 'model' },
  { title: 'state' },
  { title: 'verdict' },
  { title: 'changed', align: 'right' },
  { title: 'tokens', align: 'right' },
  { title: 'cost', align: 'right' },
  { title: 'first text', align: 'right' },
  { title: 'time', align: 'right' },
]

const SHOWN_CHARS = 60

/** The row has succeeded, and no judge said otherwise. */
export function isGood({ state, verdict }: Pick<ComparisonRow, 'state' | 'verdict'>): boolean {
  return state === 'succeeded' && verdict?.passed !== false
}

export function renderComparison(rows: readonly ComparisonRow[], colors: Colors): string {
  const answers = rows.map(({ model, text, error }) =>
    [
      colors.bold(cleanLine(model)),
      text === null ? colors.red(cleanLine(`${error?.code}: ${error?.message}`)) : cleanText(text).trimEnd(),
    ].join('\n'),
  )
  return [...answers, renderGrid(COLUMNS, rows.map(cellsOf))].join('\n\n')
}

function cellsOf(row: ComparisonRow): string[] {
  return [
    isGood(row) ? '✓' : '✗',
    row.model,
    row.error?.code ?? row.state,
    verdictOf(row),
    changesOf(row.diff),
    formatCount(totalTokens(row.usage)),
    formatMicroUsd(row.costMicroUsd),
    row.firstTokenMs === null ? '-' : formatDuration(row.firstTokenMs),
    row.totalMs === null ? '-' : formatDuration(row.totalMs),
  ]
}

function verdictOf({ verdict }: ComparisonRow): string {
  if (verdict === null) return '-'
  if (verdict.passed) return 'passed'
  const [first = ''] = verdict.detail.split('\n')
  return `failed: ${first.length > SHOWN_CHARS ? `${first.slice(0, SHOWN_CHARS)}…` : first}`
}

/** `+12 -3` */
function changesOf(diff: string | null): string {
  if (diff === null) return '-'
  const count = (pattern: RegExp) => diff.match(pattern)?.length ?? 0
  return `+${count(/^\+(?!\+\+ )/gm)} -${count(/^-(?!-- )/gm)}`
}
