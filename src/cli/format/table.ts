import Table from 'cli-table3'
import { cleanLine } from './clean.ts'

export interface Column {
  title: string
  align?: 'left' | 'right'
}

const NO_LINES = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid']
    .flatMap((side) => [side, `${side}-mid`, `${side}-left`, `${side}-right`])
    .map((name) => [name, '']),
)

const PLAIN = {
  chars: { ...NO_LINES, middle: '  ' },
  style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
}

/** Columns under their titles, without lines: easy to read, to grep and to cut. Cells are cleaned. */
export function renderColumns(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    ...PLAIN,
    head: columns.map(({ title }) => title),
    colAligns: columns.map(({ align }) => align ?? 'left'),
  })
  table.push(...rows.map((row) => row.map(cleanLine)))
  return trimLines(table.toString())
}

/** The same with lines around the cells; a cell may have several lines. */
export function renderGrid(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: columns.map(({ title }) => title),
    colAligns: columns.map(({ align }) => align ?? 'left'),
    style: { head: [], border: [], compact: true },
  })
  table.push(...rows.map((row) => row.map((cell) => cell.split('\n').map(cleanLine).join('\n'))))
  return table.toString()
}

/** `name   value`, one pair a line; pairs without a value are left out. */
export function renderPairs(pairs: readonly (readonly [string, string | null | undefined])[]): string {
  const table = new Table(PLAIN)
  for (const [name, value] of pairs) if (value != null) table.push([name, cleanLine(value)])
  return trimLines(table.toString())
}

function trimLines(text: string): string {
  return text.replace(/ +$/gm, '')
}
