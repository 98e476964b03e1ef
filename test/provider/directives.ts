/**
 * What a prompt tells the scripted model to do. Pure: text in, script out.
 *
 * | in the prompt | the model |
 * | --- | --- |
 * | `@say: Hello there` | says it, word by word (`@text:` is the same); `\n` is a new line; a blank parts two |
 * | `@words:40` | says forty words, numbered through the prompt |
 * | `@reasoning:12` | thinks twelve words |
 * | `@hold:NAME` | stops here until the test releases NAME |
 * | `@delay:50` | stops here for 50 ms |
 * | `@chunk:20` | sends a chunk each 20 ms instead of at once |
 * | `@units:1` | cuts chunks at UTF-16 units instead of words |
 * | `@usage:1000,3,400` | reports 1000 prompt tokens, 400 of them cached, and 3 of output |
 * | `@finish:length` | gives this finish reason |
 * | `@status:429,2` | answers 429 to the first two requests of this step |
 * | `@ra:2` | with `retry-after: 2` |
 * | `@hang` | never answers |
 * | `@drop` | cuts the connection here |
 * | `@stall` | sends nothing more from here on, and keeps the connection |
 * | `@malformed` | sends a frame that is not JSON here |
 * | `@nofinish` | ends the stream without a finish reason |
 * | `@overflow` | answers 400, context length exceeded |
 * | `@on:acme/nano` | has the faults of this step with this model only |
 * | a line `@tool bash {"command":"ls"}` | ends this step with a tool call; what follows is the next step |
 *
 * `@hang @drop @stall @malformed @nofinish @overflow` take a count, as in `@drop:1`: only the first
 * requests of the step are hit. Without a count all are (with `@overflow` the compaction that follows, too). Directives act in the order they are written.
 */
import { words } from './words.ts'

export interface Script {
  /** Never empty. One for each request that the model answers in a turn. */
  steps: readonly ScriptStep[]
}

export interface ScriptStep {
  actions: readonly ScriptAction[]
  /** Set: the step ends with this call instead of an answer. */
  call?: { tool: string; input: unknown }
  /** Before anything is sent. `first`: how many requests of this step are hit. */
  refuse?: { status: number; first: number; retryAfterS?: number; overflow?: true }
  hang?: { first: number }
  noFinish?: { first: number }
  /** Only requests to this model are hit by the faults of the step. */
  faultsOn?: string
  finish?: string
  usage?: { promptTokens: number; outputTokens: number; cachedTokens: number }
  chunkMs: number
  /** UTF-16 units in a chunk; 0: whole words. */
  chunkUnits: number
}

export type ScriptAction =
  | { do: 'say' | 'think'; text: string }
  | { do: 'hold'; name: string }
  | { do: 'wait'; ms: number }
  | { do: 'drop' | 'stall' | 'malformed'; first: number }

const NAMES =
  'say|text|words|reasoning|hold|delay|chunk|units|usage|finish|status|ra|hang|drop|stall|malformed|nofinish|overflow|on'
const DIRECTIVE = new RegExp(`(?<=^|\\s)@(${NAMES})(?![\\w-])`, 'g')
const TOOL_LINE = /^\s*@tool\s+(\S+)\s+(\{.*\})\s*$/

type Draft = { -readonly [K in keyof ScriptStep]: ScriptStep[K] } & { actions: ScriptAction[]; words: number }

/** The script of a prompt. A step that says nothing says `fallback`. */
export function parseScript(prompt: string, fallback: string): Script {
  const steps: Draft[] = [draft()]
  for (const line of prompt.split('\n')) {
    const call = TOOL_LINE.exec(line)
    if (call) {
      steps.at(-1)!.call = { tool: call[1]!, input: JSON.parse(call[2]!) }
      steps.push({ ...draft(), words: steps.at(-1)!.words })
    } else {
      for (const { name, argument } of directivesOf(line)) apply(steps.at(-1)!, name, argument)
    }
  }
  for (const step of steps) {
    const speaks = step.call !== undefined || step.actions.some((action) => action.do === 'say')
    if (!speaks) step.actions.push({ do: 'say', text: fallback })
  }
  return { steps: steps.map(({ words: _, ...step }) => step) }
}

/** Whether a fault hits the how many-th request of its step. */
export function isHit(
  { faultsOn }: ScriptStep,
  fault: { first: number } | undefined,
  { model, attempt }: { model: string; attempt: number },
): boolean {
  return attempt <= (fault?.first ?? 0) && (faultsOn === undefined || faultsOn === model)
}

function draft(): Draft {
  return { actions: [], chunkMs: 0, chunkUnits: 0, words: 0 }
}

function directivesOf(line: string): { name: string; argument: string }[] {
  const found = [...line.matchAll(DIRECTIVE)]
  return found.map((match, index) => {
    const rest = line.slice(match.index + match[0].length, found[index + 1]?.index ?? line.length)
    return { name: match[1]!, argument: rest.startsWith(':') ? rest.slice(1).trim() : '' }
  })
}

function apply(step: Draft, name: string, argument: string): void {
  const numbers = word(argument).split(',').map(Number)
  const [n = Number.NaN] = numbers
  const first = argument === '' || Number.isNaN(n) ? Number.POSITIVE_INFINITY : n
  switch (name) {
    case 'say':
    case 'text':
      say(step, argument.replaceAll('\\n', '\n'))
      break
    case 'words':
      say(step, words(n, step.words))
      step.words += n
      break
    case 'reasoning':
      step.actions.push({ do: 'think', text: words(n) })
      break
    case 'hold':
      step.actions.push({ do: 'hold', name: word(argument) })
      break
    case 'delay':
      step.actions.push({ do: 'wait', ms: n })
      break
    case 'drop':
    case 'stall':
    case 'malformed':
      step.actions.push({ do: name, first })
      break
    case 'chunk':
      step.chunkMs = n
      break
    case 'units':
      step.chunkUnits = n
      break
    case 'usage':
      step.usage = { promptTokens: n, outputTokens: numbers[1] ?? 0, cachedTokens: numbers[2] ?? 0 }
      break
    case 'finish':
      step.finish = word(argument)
      break
    case 'status':
      step.refuse = { ...step.refuse, status: n, first: numbers[1] ?? Number.POSITIVE_INFINITY }
      break
    case 'ra':
      step.refuse = { status: 429, first: Number.POSITIVE_INFINITY, ...step.refuse, retryAfterS: n }
      break
    case 'overflow':
      step.refuse = { status: 400, first, overflow: true }
      break
    case 'hang':
      step.hang = { first }
      break
    case 'nofinish':
      step.noFinish = { first }
      break
    case 'on':
      step.faultsOn = word(argument)
      break
  }
}

function say(step: Draft, text: string): void {
  const isFirst = !step.actions.some((action) => action.do === 'say')
  step.actions.push({ do: 'say', text: isFirst ? text : ` ${text}` })
}

function word(argument: string): string {
  return argument.split(/\s/)[0]!
}
