/** One frame of several tasks at once: a row for each, and how far it is. Pure. */
import { isTerminal } from '../../tasks/state.ts'
import { addUsage, NO_USAGE } from '../../tasks/usage.ts'
import { cleanLine } from '../format/clean.ts'
import { formatDuration } from '../format/duration.ts'
import { formatMicroUsd } from '../format/money.ts'
import { type Column, renderColumns } from '../format/table.ts'
import type { Colors } from '../terminal.ts'
import { stateColor, stateWord } from './state-word.ts'
import { answerOf, type TaskView } from './task-view.ts'
import { tokenCount } from './token-count.ts'

const SHORTEST_LABEL = 8
const SHORTEST_ANSWER = 12

export interface TaskRow {
  label: string
  view: TaskView
}

export interface RowsFrame {
  columns: number
  /** Epoch milliseconds. */
  now: number
  startedAt: number
  colors: Colors
}

const COLUMNS: readonly Column[] = [
  { title: 'TASK' },
  { title: 'TYPE' },
  { title: 'TIER' },
  { title: 'MODEL' },
  { title: 'STATE' },
  { title: 'TOKENS', align: 'right' },
  { title: 'COST', align: 'right' },
  { title: 'TIME', align: 'right' },
]

/** As wide as the terminal: what is left shows the end of each answer, what is missing the label gives. */
export function renderRows(rows: readonly TaskRow[], { columns, now, startedAt, colors }: RowsFrame): string {
  const labels = Math.max(...rows.map(({ label }) => label.length), 4)
  const [head, ...lines] = tableOf(rows, labels, now)
  const left = columns - Math.max(head!.length, ...lines.map((line) => line.length))
  const fitting = left < 0 ? tableOf(rows, Math.max(SHORTEST_LABEL, labels + left), now) : [head!, ...lines]
  const width = Math.max(...fitting.map((line) => line.length))
  const room = columns - width - 2
  const drawn = fitting.map((line, index) => {
    const row = rows[index - 1]
    if (row === undefined) return colors.bold(line.slice(0, columns))
    const answer = room < SHORTEST_ANSWER ? '' : cleanLine(answerOf(row.view).slice(-2 * room)).slice(-room)
    return `${highlight(line.slice(0, columns), row, colors)}${answer && `${' '.repeat(width - line.length + 2)}${colors.dim(answer)}`}`
  })
  return [...drawn, '', summaryOf(rows, now - startedAt)].join('\n')
}

/** `lint-1  succeeded  fast → acme/nano  412 tokens  $0.0003  2.1 s`: for a log. */
export function lineOf({ label, view }: TaskRow, now: number): string {
  const way = [view.tier, view.model].filter((name) => name !== null).join(' → ')
  const spent = isTerminal(view.state)
    ? [`${tokenCount(view)} tokens`, formatMicroUsd(view.costMicroUsd), timeOf(view, now)]
    : []
  return [label, view.state, way, ...spent].map(cleanLine).join('  ')
}

function tableOf(rows: readonly TaskRow[], labelLength: number, now: number): string[] {
  const cells = rows.map(({ label, view }) => [
    label.length > labelLength ? `${label.slice(0, labelLength - 1)}…` : label,
    view.type ?? '-',
    view.tier ?? '-',
    view.model ?? '-',
    stateWord(view),
    tokenCount(view),
    formatMicroUsd(view.costMicroUsd),
    timeOf(view, now),
  ])
  return renderColumns(COLUMNS, cells).split('\n')
}

/** The state is the one thing to find at a glance. */
function highlight(line: string, { view }: TaskRow, colors: Colors): string {
  const word = stateWord(view)
  return line.replace(` ${word} `, ` ${stateColor(view, colors)(word)} `)
}

function timeOf({ startedAt, finishedAt }: TaskView, now: number): string {
  return startedAt === null ? '-' : formatDuration((finishedAt ?? now) - startedAt)
}

function summaryOf(rows: readonly TaskRow[], elapsedMs: number): string {
  const views = rows.map(({ view }) => view)
  const count = (test: (view: TaskView) => boolean) => views.filter(test).length
  const usage = views.reduce((total, view) => addUsage(total, view.usage), NO_USAGE)
  const streamedLength = views.reduce((total, view) => total + view.streamedLength, 0)
  const costMicroUsd = views.reduce((total, view) => total + view.costMicroUsd, 0)
  return [
    `${count(({ state }) => isTerminal(state))} of ${rows.length} done`,
    `${count(({ state }) => state === 'running')} running`,
    `${tokenCount({ usage, streamedLength })} tokens`,
    formatMicroUsd(costMicroUsd),
    formatDuration(elapsedMs),
  ].join('   ')
}
