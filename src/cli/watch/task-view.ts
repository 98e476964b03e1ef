/** What is known of a task while it runs, built from its events. Pure: the views only draw it. */
import { joinAnswer } from '../../sessions/answer.ts'
import { modelOf } from '../../tasks/comparison-route.ts'
import type { StreamItem, TaskEvent } from '../../tasks/event.ts'
import type { TaskState } from '../../tasks/state.ts'
import type { Task, TaskFailure, TaskOutcome } from '../../tasks/task.ts'
import { addUsage, NO_USAGE, type Usage } from '../../tasks/usage.ts'
import { describeAsk } from '../commands/asks.ts'
import { cleanLine } from '../format/clean.ts'
import { formatDuration } from '../format/duration.ts'
import { describeWait } from '../format/wait.ts'

export interface TaskView {
  id: string
  type: string | null
  tier: string | null
  /** `null`: it is a comparison. */
  model: string | null
  state: TaskState
  /** Why it waits, in words. */
  waitingFor: string | null
  /** The one that runs or ran last; 0 before the first. Counts from 1. */
  message: number
  messages: number
  /** Text and reasoning of the parts seen so far, in order. */
  parts: Part[]
  /** The last thing that came was reasoning. */
  thinking: boolean
  tools: Tool[]
  notes: string[]
  /** Of the messages that are finished. */
  usage: Usage
  costMicroUsd: number
  /** UTF-16 units that came since: their tokens can only be guessed. */
  streamedLength: number
  startedAt: number | null
  finishedAt: number | null
  error: Pick<TaskFailure, 'code' | 'message'> | null
}

interface Part {
  messageID: string
  partID: string
  kind: 'text' | 'reasoning'
  text: string
}

interface Tool {
  callID: string
  tool: string
  detail: string
  status: string
}

/** Before its first event. Usage and cost start at 0: the events bring them. */
export function createTaskView(task: Task): TaskView {
  return {
    id: task.id,
    type: task.type,
    tier: task.tier,
    model: modelOf(task.model, task.route),
    messages: task.progress.messages,
    notes: [],
    usage: NO_USAGE,
    costMicroUsd: 0,
    startedAt: null,
    ...newRun(),
  }
}

function newRun() {
  return {
    state: 'waiting' as TaskState,
    waitingFor: null,
    message: 0,
    parts: [],
    thinking: false,
    tools: [],
    streamedLength: 0,
    finishedAt: null,
    error: null,
  }
}

/** Brings the view up to the event. */
export function applyItem(view: TaskView, item: StreamItem): void {
  switch (item.type) {
    case 'reset':
      view.notes.push(`events ${item.missing[0]} to ${item.missing[1]} are gone: the log was trimmed`)
      return
    case 'end':
      view.state = item.state
      return
    case 'task-routed':
      view.tier = item.route.tier
      view.model = modelOf(item.route.model, item.route)
      return
    case 'attempt-started':
      view.startedAt ??= item.at
      view.state = 'running'
      view.waitingFor = null
      return
    case 'message-sent':
      view.message = item.index + 1
      view.model = item.model
      return
    case 'text-delta':
    case 'reasoning-delta':
      applyDelta(view, item)
      return
    case 'text-discarded': {
      const gone = view.parts.find(({ partID }) => partID === item.partID)
      view.parts = view.parts.filter((part) => part !== gone)
      view.streamedLength = Math.max(0, view.streamedLength - (gone?.text.length ?? 0))
      return
    }
    case 'stream-lagging':
      view.notes.push('another worker took over: the rest of this text comes at its end')
      return
    case 'tool-called':
      view.thinking = false
      view.tools.push({
        callID: item.callID,
        tool: item.tool,
        detail: detailOf(item.input),
        status: 'running',
      })
      return
    case 'tool-finished':
      applyToolEnd(view, item)
      return
    case 'message-finished':
      view.usage = addUsage(view.usage, item.usage)
      view.costMicroUsd += item.costMicroUsd
      view.streamedLength = 0
      view.thinking = false
      return
    case 'task-parked': {
      const { reason } = item.waitingFor
      if (reason !== 'children' && reason !== 'person') view.state = 'waiting'
      view.waitingFor = describeWait(item.waitingFor)
      return
    }
    case 'ask-opened':
      view.waitingFor = `person: ${describeAsk(item)}`
      return
    case 'ask-closed':
    case 'task-resumed':
      view.waitingFor = null
      return
    case 'task-retried':
      Object.assign(view, newRun())
      view.notes.push('started once more')
      return
    case 'task-finished':
      view.state = item.state
      view.finishedAt = item.at
      view.error = item.error ?? null
      view.thinking = false
      return
    default: {
      const note = noteOf(item)
      if (note !== undefined) view.notes.push(note)
    }
  }
}

/** What the events cannot tell to the last token: aborted steps, and tries that gave no answer. */
export function applyOutcome(
  view: TaskView,
  outcome: Pick<TaskOutcome, 'state' | 'error' | 'usage' | 'costMicroUsd'>,
): void {
  view.state = outcome.state
  view.error = outcome.error
  view.usage = outcome.usage
  view.costMicroUsd = outcome.costMicroUsd
  view.streamedLength = 0
}

/** The answers so far, all messages, a blank line between them. */
export function answerOf(view: TaskView): string {
  return joinAnswer(view.parts.filter(({ kind }) => kind === 'text').map(({ text }) => text))
}

/** What an event means to somebody who watches; `undefined` for those that a view shows by itself. */
export function noteOf(event: TaskEvent): string | undefined {
  switch (event.type) {
    case 'provider-retry': {
      const wait = event.nextAt > event.at ? `, again in ${formatDuration(event.nextAt - event.at)}` : ''
      return `provider failed (try ${event.try})${wait}: ${cleanLine(event.message)}`
    }
    case 'model-changed':
      return `model changed from ${event.from} to ${event.to}: ${cleanLine(event.reason)}`
    case 'turn-resumed':
      return `the turn was resumed: ${cleanLine(event.reason)}`
    default:
      return undefined
  }
}

type Delta = Extract<TaskEvent, { type: 'text-delta' | 'reasoning-delta' }>

function applyDelta(view: TaskView, { type, messageID, partID, offset, text }: Delta): void {
  const kind = type === 'text-delta' ? 'text' : 'reasoning'
  view.thinking = kind === 'reasoning'
  view.streamedLength += text.length
  const part = view.parts.find((part) => part.partID === partID)
  if (part === undefined) view.parts.push({ messageID, partID, kind, text })
  else part.text = offset >= part.text.length ? part.text + text : part.text.slice(0, offset) + text
}

function applyToolEnd(view: TaskView, event: Extract<TaskEvent, { type: 'tool-finished' }>): void {
  const tool = view.tools.find(({ callID }) => callID === event.callID)
  if (tool === undefined) return
  tool.status = event.status
  if (event.title !== '') tool.detail = cleanLine(event.title)
}

/** The first value of a tool's input is what it is about: a command, a path, a pattern. */
function detailOf(input: unknown): string {
  const first = typeof input === 'object' && input !== null ? Object.values(input)[0] : input
  return cleanLine(typeof first === 'string' ? first : (JSON.stringify(first) ?? ''))
}
