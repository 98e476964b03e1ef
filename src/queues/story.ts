import type { TaskEvent } from '../tasks/event.ts'

/** The log of a task as lines for people: decisions one by one, text as its beginning and length. Pure. */
export function storyOf(events: readonly TaskEvent[]): string[] {
  const lines: string[] = []
  let open: { partID: string; text: string; at: number } | undefined
  const closeText = () => {
    if (open !== undefined)
      lines.push(
        line(open.at, `answer: ${JSON.stringify(lastLines(open.text))} (${open.text.length} characters)`),
      )
    open = undefined
  }
  for (const event of events) {
    if (event.type === 'text-delta') {
      if (open?.partID !== event.partID) closeText()
      open = { partID: event.partID, text: (open?.text ?? '') + event.text, at: event.at }
      continue
    }
    if (event.type === 'text-ended' || event.type === 'message-finished' || event.type === 'task-finished')
      closeText()
    const text = sentenceOf(event)
    if (text !== undefined) lines.push(line(event.at, text))
  }
  closeText()
  return lines
}

const LAST_LINES = 3
const LAST_CHARS = 240

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-LAST_LINES).join('\n').slice(-LAST_CHARS)
}

function line(at: number, text: string): string {
  return `${new Date(at).toISOString()} ${text}`
}

function sentenceOf(event: TaskEvent): string | undefined {
  switch (event.type) {
    case 'task-queued':
      return `queued in "${event.queue}"`
    case 'task-routed':
      return `routed to ${event.route.model}: ${event.route.steps.map(({ step, input, outcome }) => `${step} "${input}" → ${outcome}`).join('; ')}`
    case 'attempt-started':
      return `attempt ${event.attempt} started`
    case 'session-opened':
      return `session ${event.sessionID} opened on "${event.server}" with ${event.model}`
    case 'message-sent':
      return `message ${event.index + 1} sent to ${event.model}`
    case 'message-finished':
      return `message finished (${event.finish}) by ${event.model}: ${event.usage.inputTokens} tokens in, ${event.usage.outputTokens} out, ${event.costMicroUsd} micro-USD`
    case 'text-discarded':
      return `text of ${event.partID} withdrawn (${event.reason})`
    case 'turn-resumed':
      return `turn resumed: ${event.reason}`
    case 'provider-retry':
      return `provider tried again (${event.try}): ${event.message}`
    case 'tool-called':
      return `tool ${event.tool} called`
    case 'tool-finished':
      return `tool ${event.status}: ${event.title}`
    case 'model-changed':
      return `model changed from ${event.from} to ${event.to}: ${event.reason}`
    case 'stream-lagging':
      return 'stream lags: the rest of the open part comes at its end'
    case 'ask-opened':
      return `asks a person until ${new Date(event.deadlineAt).toISOString()}: ${subjectOf(event)}`
    case 'ask-closed':
      return `${event.askID} ${event.state}${answerOf(event)}`
    case 'task-retried':
      return 'retried'
    case 'task-finished':
      return event.error ? `${event.state}: ${event.error.code}: ${event.error.message}` : event.state
    default:
      return undefined
  }
}

function subjectOf({ permission, patterns, questions }: Extract<TaskEvent, { type: 'ask-opened' }>): string {
  if (permission !== null) return `${permission} ${patterns.join(', ')}`
  return questions
    .map(({ question, options }) => `${question} (${options.map(({ label }) => label).join(', ')})`)
    .join('; ')
}

function answerOf({ reply, answers, message }: Extract<TaskEvent, { type: 'ask-closed' }>): string {
  const said = reply ?? answers?.map((one) => one.join(', ')).join('; ')
  return `${said === undefined ? '' : `: ${said}`}${message === undefined ? '' : ` (${message})`}`
}
