/** Reads the evidence of a run and says what is wrong with it. Pure. */
import type { BudgetView, Task, TaskEvent } from '../../src/client/index.ts'
import { isTerminal } from '../../src/tasks/state.ts'
import type { LedgerEntry } from '../provider/ledger.ts'
import type { Followed } from './follow.ts'
import type { ChaosTask } from './tasks.ts'

export interface TaskEvidence {
  planned: ChaosTask
  id: string
  task: Task
  /** What a reader saw that was there from the submit on. */
  live: Followed
  /** What a reader sees now. */
  replay: Followed
}

/** A time when something was broken that may cost a turn without any fault of tierline's. */
export interface Outage {
  what: 'opencode killed' | 'opencode cut off from its provider'
  from: number
  to: number
}

export interface Evidence {
  tasks: readonly TaskEvidence[]
  ledger: readonly LedgerEntry[]
  outages: readonly Outage[]
  /** Sessions of the OpenCode server with the task that is named in their metadata. */
  sessions: readonly {
    id: string
    taskID: string | undefined
    parentID: string | undefined
    messages: number
  }[]
  /** What all tasks say that they spent, and what `GET /v1/costs` says. */
  spent: { byTasks: Money; byLedger: Money }
  /** What the budgets say in the end; that of `global` has counted everything. */
  budgets: readonly Pick<BudgetView, 'scope' | 'spentMicroUsd' | 'reservedMicroUsd'>[]
  /** Tasks that tierline lists, beyond those that the submits gave. */
  unknownTasks: readonly string[]
}

export interface Money {
  costMicroUsd: number
  costEstimatedMicroUsd: number
}

export interface Verdict {
  problems: string[]
  /** Steps streamed to their end a second time because OpenCode or its connection to the provider died. */
  lostByOpenCode: number
  /** Tasks that were given up because every worker that ran them was killed or frozen, five in a row. */
  givenUp: number
  /** Steps streamed to their end again after an answer that the provider billed although they were broken. */
  brokenAndBilled: number
}

export function check(evidence: Evidence): Verdict {
  const problems = evidence.tasks.flatMap((one) =>
    problemsOf(one).map((problem) => `${nameOf(one)}: ${problem}`),
  )
  for (const id of evidence.unknownTasks) problems.push(`${id}: nobody submitted it, or it was made twice`)
  const { unexcused, lostByOpenCode, brokenAndBilled } = paidTwice(evidence)
  problems.push(...unexcused)
  problems.push(...wrongMoney(evidence))
  for (const { id, messages } of straysOf(evidence))
    problems.push(`session ${id}: it belongs to no task, and has ${messages} messages`)
  return {
    problems,
    lostByOpenCode,
    brokenAndBilled,
    givenUp: evidence.tasks.filter(({ task }) => isGivenUp(task)).length,
  }
}

function isGivenUp({ error }: Task): boolean {
  return error?.code === 'too_many_deliveries'
}

function problemsOf({ planned, task, live, replay }: TaskEvidence): string[] {
  if (!isTerminal(task.state)) return [`never ended: it is ${task.state} at attempt ${task.attempt}`]
  const problems: string[] = []
  if (!planned.mayEnd.includes(task.state) && !isGivenUp(task))
    problems.push(`ended ${task.state} (${task.error?.code}: ${task.error?.message})`)
  problems.push(...live.wrong.map((wrong) => `reader: ${wrong}`))
  problems.push(...replay.wrong.map((wrong) => `replay: ${wrong}`))
  if (live.end !== task.state) problems.push(`the reader was told ${live.end}, the task is ${task.state}`)
  if (JSON.stringify(live.events) !== JSON.stringify(replay.events))
    problems.push(`reader and log differ: ${difference(live.events, replay.events)}`)
  const ends = replay.events.filter(({ type }) => type === 'task-finished')
  if (ends.length !== 1) problems.push(`ended ${ends.length} times`)
  if (replay.events.at(-1)?.type !== 'task-finished') problems.push('something came after the end')
  for (const { messageID, text } of task.result?.messages ?? []) {
    const applied = [...(live.texts.get(messageID)?.values() ?? [])]
      .filter((part) => part !== '')
      .join('\n\n')
    if (applied !== text) problems.push(`the reader holds "${applied}", the answer is "${text}"`)
  }
  return problems
}

/** A record and the ledger move in one step, and nothing counts that was not billed. */
function wrongMoney({ spent: { byTasks, byLedger }, ledger, budgets }: Evidence): string[] {
  const counted = byLedger.costMicroUsd + byLedger.costEstimatedMicroUsd
  const bill = ledger.reduce((sum, { costMicroUsd }) => sum + costMicroUsd, 0)
  const shown = ({ costMicroUsd, costEstimatedMicroUsd }: Money) =>
    `${costMicroUsd} + ${costEstimatedMicroUsd}`
  return [
    ...(shown(byTasks) === shown(byLedger)
      ? []
      : [`the tasks spent ${shown(byTasks)} micro-USD, the ledger has ${shown(byLedger)}`]),
    ...(byTasks.costMicroUsd <= bill
      ? []
      : [`the tasks spent ${byTasks.costMicroUsd} micro-USD, the provider bills ${bill}`]),
    ...budgets.flatMap(({ scope, spentMicroUsd, reservedMicroUsd }) => [
      ...(reservedMicroUsd === 0
        ? []
        : [`the budget ${scope} holds ${reservedMicroUsd} micro-USD for nobody`]),
      ...(scope !== 'global' || spentMicroUsd === counted
        ? []
        : [`the budget ${scope} has ${spentMicroUsd} micro-USD, the ledger ${counted}`]),
    ]),
  ]
}

/** The same step of the same turn, streamed to its end more than once. */
function paidTwice({ tasks, ledger, outages }: Evidence) {
  const broken = new Set(tasks.flatMap(({ planned }) => (planned.billsBrokenAnswer ? [planned.marker] : [])))
  const paid = Map.groupBy(
    ledger.filter(({ kind, streamedToEnd, marker }) => kind === 'answer' && streamedToEnd && marker !== null),
    ({ promptHash, step, model }) => `${promptHash} ${step} ${model}`,
  )
  const unexcused: string[] = []
  let lostByOpenCode = 0
  let brokenAndBilled = 0
  for (const [first, ...others] of paid.values()) {
    for (const other of others) {
      if (broken.has(first!.marker!)) brokenAndBilled += 1
      else if (outages.some(({ from, to }) => from <= other.at && to >= first!.at)) lostByOpenCode += 1
      else unexcused.push(`${first!.marker}: step ${first!.step} paid twice, ${first!.id} and ${other.id}`)
    }
  }
  return { unexcused, lostByOpenCode, brokenAndBilled }
}

/** Sessions that were opened for a task and are not the one it has. */
export function straysOf({ sessions, tasks }: Pick<Evidence, 'sessions' | 'tasks'>): Evidence['sessions'] {
  const known = new Set(tasks.map(({ task }) => task.sessionID))
  return sessions.filter(
    ({ id, parentID, taskID }) => parentID === undefined && taskID !== undefined && !known.has(id),
  )
}

function difference(live: readonly TaskEvent[], replay: readonly TaskEvent[]): string {
  const at = replay.findIndex((event, index) => JSON.stringify(event) !== JSON.stringify(live[index]))
  return at === -1
    ? `${live.length} and ${replay.length} events`
    : `at ${at + 1}: ${JSON.stringify(live[at])} and ${JSON.stringify(replay[at])}`
}

function nameOf({ planned, id }: TaskEvidence): string {
  return `${planned.marker} (${planned.kind}, ${id})`
}
