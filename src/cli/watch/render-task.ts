/** A task in a terminal: one frame while it runs, and the whole of it at the end. Pure. */
import wrapAnsi from 'wrap-ansi'
import { isTerminal } from '../../tasks/state.ts'
import { cleanLine, cleanText } from '../format/clean.ts'
import { formatDuration } from '../format/duration.ts'
import { formatMicroUsd } from '../format/money.ts'
import type { Colors } from '../terminal.ts'
import { stateColor, stateWord } from './state-word.ts'
import { answerOf, type TaskView } from './task-view.ts'
import { tokenCount } from './token-count.ts'

const SHOWN_TOOLS = 3
const SHOWN_NOTES = 3

export interface Frame {
  columns: number
  rows: number
  /** Epoch milliseconds. */
  now: number
  colors: Colors
}

/** Fits the terminal: of the answer, the end is shown. */
export function renderTask(view: TaskView, { columns, rows, now, colors }: Frame): string {
  const head = [
    headLine(view, colors),
    statusLine(view, now, colors),
    ...view.tools.slice(-SHOWN_TOOLS).map((tool) => toolLine(tool, colors)),
    ...view.notes.slice(-SHOWN_NOTES).map((note) => colors.yellow(`! ${note}`)),
  ].flatMap((line) => wrap(line, columns))
  // The cursor stands on a line of its own below.
  const room = rows - head.length - 2
  const text = room > 0 ? lastLines(answerOf(view), columns, room) : []
  return [...head, '', ...text].slice(0, Math.max(1, rows - 1)).join('\n')
}

/** All of it, for good. */
export function renderFinishedTask(view: TaskView, { now, colors }: Pick<Frame, 'now' | 'colors'>): string {
  const answer = cleanText(answerOf(view)).trimEnd()
  return [
    headLine(view, colors),
    ...view.tools.map((tool) => toolLine(tool, colors)),
    ...view.notes.map((note) => colors.yellow(`! ${note}`)),
    ...(answer === '' ? [] : ['', answer, '']),
    statusLine(view, now, colors),
    ...(view.error === null ? [] : [errorLine(view.error, colors)]),
  ].join('\n')
}

/** `tsk_01k…  lint → fast → acme/nano` */
export function headLine({ id, type, tier, model }: TaskView, colors: Colors): string {
  const way = [type, tier, model].filter((name) => name !== null).map(cleanLine)
  return `${colors.bold(id)}  ${way.join(' → ')}`
}

/** `running  message 2 of 3  ~412 tokens  $0.0003  2.1 s` */
export function statusLine(view: TaskView, now: number, colors: Colors): string {
  const { messages, message, startedAt, finishedAt, waitingFor } = view
  return [
    stateColor(view, colors)(stateWord(view)),
    ...(waitingFor === null || isTerminal(view.state) ? [] : [waitingFor]),
    ...(messages > 1 && message > 0 ? [`message ${message} of ${messages}`] : []),
    `${tokenCount(view)} tokens`,
    formatMicroUsd(view.costMicroUsd),
    ...(startedAt === null ? [] : [formatDuration((finishedAt ?? now) - startedAt)]),
  ].join('  ')
}

/** `turn_failed: the provider …` */
export function errorLine({ code, message }: { code: string; message: string }, colors: Colors): string {
  return `${colors.red(code)}: ${cleanLine(message)}`
}

function toolLine({ tool, detail, status }: TaskView['tools'][number], colors: Colors): string {
  const mark = { running: colors.cyan('…'), completed: colors.green('✓') }[status] ?? colors.red('✗')
  const short = detail.length > 100 ? `${detail.slice(0, 100)}…` : detail
  return `${mark} ${cleanLine(tool)}  ${colors.dim(short)}`
}

/** The last `count` lines as the terminal would break them. Only the end is wrapped: the text may be long. */
function lastLines(text: string, columns: number, count: number): string[] {
  const end = cleanText(text.slice(-columns * count * 2)).trimEnd()
  // The width of a tab depends on where it stands.
  return wrap(end.replaceAll('\t', '    '), columns).slice(-count)
}

function wrap(text: string, columns: number): string[] {
  return text.split('\n').flatMap((line) => {
    const [first, ...more] = wrapAnsi(line, columns, { hard: true, trim: false }).split('\n')
    // The blank at which a line was broken would else begin the next one.
    return [first!, ...more.map((part) => part.replace(/^ /, ''))]
  })
}
