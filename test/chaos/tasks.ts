/** What the chaos run submits: every way a turn can go, with what must become of it. Pure. */
import type { TaskInput } from '../../src/tasks/input.ts'
import type { TaskState } from '../../src/tasks/state.ts'
import type { Random } from './random.ts'

export interface ChaosTask {
  /** `task-17`: stands in every prompt, so that the provider's ledger knows whose request it was. */
  marker: string
  kind: string
  input: TaskInput
  /** How it may end. */
  mayEnd: readonly TaskState[]
  /** Set: somebody cancels it that long after its submit. */
  cancelAfterMs?: number
  /** The provider bills an answer that is broken, so asking again costs again. */
  billsBrokenAnswer?: true
}

type Make = (marker: string, random: Random) => Omit<ChaosTask, 'marker' | 'kind'>

const ENDS_WELL = ['succeeded'] as const
const TYPES = ['lint', 'review', 'analysis'] as const

const KINDS: Record<string, { weight: number; make: Make }> = {
  plain: kind(20, (random) => `@words:${random.int(5, 60)} @chunk:${random.int(5, 40)}`),
  long: kind(12, (random) => `@words:${random.int(80, 160)} @chunk:30`),
  thinking: kind(8, () => '@reasoning:30 @words:30 @chunk:20'),
  tool: kind(10, () => tool('echo one', '@words:12 @chunk:20', '@words:30 @chunk:30')),
  'two tools': kind(6, () =>
    ['@words:5', bash('echo one'), '@words:5 @chunk:20', bash('echo two'), '@words:20 @chunk:30'].join('\n'),
  ),
  'slow tool': kind(4, () => tool('sleep 2; echo slow', '@words:4', '@words:20 @chunk:20')),
  'ask nobody answers': {
    weight: 3,
    make: (marker) =>
      ends(`#${marker} ${tool('git push', '@words:4', '@words:20 @chunk:20')}`, {
        permissions: { bash: 'ask' },
      }),
  },
  child: {
    weight: 5,
    make: (marker) => {
      const call = {
        description: 'look',
        subagent_type: 'general',
        prompt: `#${marker}-child @words:25 @chunk:40`,
      }
      return ends(`#${marker}\n@words:3\n@tool task ${JSON.stringify(call)}\n@words:20 @chunk:30`)
    },
  },
  conversation: {
    weight: 10,
    make: (marker) => ({
      input: {
        type: 'review',
        messages: [
          { text: `#${marker} first @words:20 @chunk:30` },
          { text: `#${marker} second @words:20 @chunk:30`, model: 'acme/big' },
          { text: `#${marker} third @words:20 @chunk:30` },
        ],
      },
      mayEnd: ENDS_WELL,
    }),
  },
  delayed: {
    weight: 4,
    make: (marker, random) => ends(`#${marker} @words:10`, { delayMs: random.int(200, 4_000) }),
  },
  'rate limit': kind(4, () => '@status:429,1 @ra:1 @words:15 @chunk:20'),
  'provider fails': kind(4, () => '@status:500,1 @words:15 @chunk:20'),
  'half a stream': kind(4, () => '@words:10 @chunk:20 @drop:1 @words:10'),
  'malformed frame': broken(3, '@words:10 @chunk:20 @malformed:1 @words:10'),
  'no finish': broken(3, '@words:10 @chunk:20 @nofinish:1'),
  'no answer': kind(2, () => '@hang:1 @words:10'),
  'stream stalls': kind(2, () => '@words:6 @chunk:20 @stall:1 @words:6'),
  cancelled: {
    weight: 6,
    make: (marker, random) => ({
      ...ends(`#${marker} @words:150 @chunk:40`),
      mayEnd: ['cancelled'],
      cancelAfterMs: random.int(0, 4_000),
    }),
  },
}

/** The first ones are of every kind once. */
export function planTasks(count: number, random: Random): ChaosTask[] {
  const names = Object.keys(KINDS)
  const bag = names.flatMap((name) => Array<string>(KINDS[name]!.weight).fill(name))
  const kinds = [...random.shuffle(names), ...Array.from({ length: count }, () => random.pick(bag))]
  return kinds.slice(0, count).map((kind, index) => {
    const marker = `task-${index}`
    const task = KINDS[kind]!.make(marker, random)
    const input = { type: random.pick(TYPES), ...task.input, metadata: { marker } }
    return { ...task, marker, kind, input }
  })
}

function kind(weight: number, script: (random: Random) => string): { weight: number; make: Make } {
  return { weight, make: (marker, random) => ends(`#${marker} ${script(random)}`) }
}

function broken(weight: number, script: string): { weight: number; make: Make } {
  return { weight, make: (marker) => ({ ...ends(`#${marker} ${script}`), billsBrokenAnswer: true }) }
}

function ends(prompt: string, more: Partial<TaskInput> = {}): Omit<ChaosTask, 'marker' | 'kind'> {
  return { input: { prompt, ...more }, mayEnd: ENDS_WELL }
}

function tool(command: string, before: string, after: string): string {
  return `${before}\n${bash(command)}\n${after}`
}

function bash(command: string): string {
  return `@tool bash ${JSON.stringify({ command, description: 'a step' })}`
}
