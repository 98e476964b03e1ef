/** Findings as a Markdown table, which also reads well in a terminal, and its place in the README. */
import { readFileSync, writeFileSync } from 'node:fs'
import { type Finding, isMet, type Unit } from './scenario.ts'

const BEGIN = '<!-- results: written by npm run bench -->'
const END = '<!-- end of results -->'

const HEAD = ['measure', 'result', 'least to most', 'target', 'met', 'behind it']

export function renderTable(findings: readonly Finding[]): string {
  const rows = [HEAD, ...findings.map(cellsOf)]
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`
  return [line(HEAD), rule, ...rows.slice(1).map(line)].join('\n')
}

/** Puts `text` between the two marks of the file. @throws {RangeError} when they are not there. */
export function writeResults(file: string | URL, text: string): void {
  const before = readFileSync(file, 'utf8')
  const begin = before.indexOf(BEGIN)
  const end = before.indexOf(END)
  if (begin === -1 || end < begin)
    throw new RangeError(`Cannot write the results: "${BEGIN}" and "${END}" must stand in the file`)
  writeFileSync(file, `${before.slice(0, begin + BEGIN.length)}\n\n${text}\n\n${before.slice(end)}`)
}

function cellsOf(finding: Finding): string[] {
  const { measure, value, spread, unit, target, detail } = finding
  const [least, most] = spread
  return [
    measure,
    format(value, unit),
    least === most ? '' : `${format(least, unit)} to ${format(most, unit)}`,
    target === undefined
      ? ''
      : 'atLeast' in target
        ? `≥ ${format(target.atLeast, unit)}`
        : `≤ ${format(target.atMost, unit)}`,
    target === undefined ? '' : isMet(finding) ? 'yes' : 'NO',
    detail,
  ]
}

function format(value: number, unit: Unit): string {
  switch (unit) {
    case 'ratio':
      return value.toFixed(2)
    case 'ms':
      return `${value.toFixed(1)} ms`
    case 'µs':
      return `${value.toFixed(1)} µs`
    case 'MB':
      return `${Math.round(value)} MB`
    case 'commands':
      return value.toFixed(1)
    case 'lost':
      return String(value)
  }
}
