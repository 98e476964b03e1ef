/** What a task asks of people, as its record holds it: what is asked in one field, each decision in one of its own. */
import type { Ask, AskSubject } from '../tasks/ask.ts'
import { isTerminal, type TaskState } from '../tasks/state.ts'
import type { WaitingFor } from '../tasks/task.ts'

export interface KeptAsk extends AskSubject {
  id: string
  /** Patterns that OpenCode proposes to allow for good. */
  always: string[]
  askedAt: number
  deadlineAt: number
  /** `undefined`: open. Written once, by whoever is first. */
  decision?: AskDecision
}

export interface AskDecision {
  state: 'answered' | 'denied'
  reply?: 'once' | 'always' | 'reject'
  answers?: string[][]
  message?: string
}

interface Asking {
  asks: readonly KeptAsk[]
  state: TaskState
}

const NONE: readonly KeptAsk[] = []
const MOST_DETAIL = 300

/** The asks of a hash, oldest first. */
export function parseAsks(hash: Readonly<Record<string, string>>): readonly KeptAsk[] {
  if (!hash.asks) return NONE
  return (JSON.parse(hash.asks) as KeptAsk[]).map((ask) => {
    const decision = hash[`answer:${ask.id}`]
    return decision === undefined ? ask : { ...ask, decision: JSON.parse(decision) as AskDecision }
  })
}

/** As the world sees them. */
export function viewAsks({ asks, state: taskState }: Asking): Ask[] {
  return asks.map(({ always: _, decision, ...ask }) => ({
    ...ask,
    state: decision?.state ?? (isTerminal(taskState) ? 'denied' : 'open'),
  }))
}

/** The open one whose deadline comes first stands for all; `undefined`: none is open. */
export function waitsForPerson({ asks, state }: Asking): WaitingFor | undefined {
  if (asks.length === 0 || state !== 'running') return undefined
  const open = asks.filter(({ decision }) => decision === undefined)
  const [first] = open.sort((a, b) => a.deadlineAt - b.deadlineAt)
  return first && { reason: 'person', detail: detailOf(first), until: first.deadlineAt }
}

function detailOf({ permission, patterns, questions }: KeptAsk): string {
  const text = permission === null ? questions[0]?.question : `${permission}: ${patterns.join(', ')}`
  return (text ?? 'a question').slice(0, MOST_DETAIL)
}
