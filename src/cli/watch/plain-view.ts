import { comparedIn } from '../../tasks/comparison-route.ts'
import type { StreamItem } from '../../tasks/event.ts'
import type { Route } from '../../tasks/route.ts'
import { describeAsk } from '../commands/asks.ts'
import { cleanLine, cleanText } from '../format/clean.ts'
import { describeWait } from '../format/wait.ts'
import type { Terminal } from '../terminal.ts'
import { errorLine, headLine, statusLine } from './render-task.ts'
import { noteOf, type TaskView } from './task-view.ts'
import type { View } from './view.ts'

/** For pipes and files: the text of the answers to stdout as it comes, everything else to stderr. */
export function createPlainView(terminal: Terminal, task: TaskView): View {
  const { noteColors, command } = terminal
  let partID: string | undefined
  let endsWithNewline = true
  terminal.note(headLine(task, noteColors))
  if (task.waitingFor !== null) terminal.note(`waits: ${task.waitingFor}`)

  function write(text: string): void {
    const clean = cleanText(text)
    if (clean === '') return
    terminal.write(clean)
    endsWithNewline = clean.endsWith('\n')
  }

  return {
    show(item) {
      if (item.type === 'text-delta') {
        if (partID !== undefined && partID !== item.partID) write('\n\n')
        partID = item.partID
        return write(item.text)
      }
      const line = chatterOf(item, command)
      if (line !== undefined) terminal.note(line)
    },
    close(finished) {
      if (!endsWithNewline) terminal.write('\n')
      if (!finished) return
      terminal.note(statusLine(task, Date.now(), noteColors))
      if (task.error !== null) terminal.note(errorLine(task.error, noteColors))
    },
  }
}

function describeRoute(route: Route): string {
  const compared = comparedIn(route)
  if (compared !== undefined) return `compares ${compared}`
  return `routed to ${[route.tier, route.model].filter((name) => name !== null).join(' → ')}`
}

function chatterOf(item: StreamItem, command: string): string | undefined {
  switch (item.type) {
    case 'reset':
      return `! events ${item.missing[0]} to ${item.missing[1]} are gone: the log was trimmed`
    case 'end':
      return undefined
    case 'task-routed':
      return describeRoute(item.route)
    case 'attempt-started':
      return item.attempt > 1 ? `attempt ${item.attempt} started` : 'started'
    case 'message-sent':
      return item.index > 0 ? `message ${item.index + 1} sent to ${item.model}` : undefined
    case 'text-discarded':
      return `! text already shown belongs to no answer (${item.reason})`
    case 'stream-lagging':
      return '! another worker took over: the rest of this text comes at its end'
    case 'tool-finished':
      return `tool ${item.status}: ${cleanLine(item.title)}`
    case 'task-parked':
      return `waits for ${describeWait(item.waitingFor)}`
    case 'ask-opened':
      return `asks you: ${describeAsk(item)}; answer with "${command} answer"`
    case 'ask-closed':
      return `the ask is ${item.state}`
    case 'task-retried':
      return 'started once more'
    default: {
      const note = noteOf(item)
      return note === undefined ? undefined : `! ${note}`
    }
  }
}
