/** One thing done to all tasks that fit: found first, then done, several at a time. */
import type { Command } from 'commander'
import type { Task, TierlineClient } from '../../client/index.ts'
import { isTierlineError, TierlineError } from '../../errors.ts'
import type { TaskState } from '../../tasks/state.ts'
import { type Cli, connect, type ServerFlags } from '../cli.ts'
import { exitCodeOfError } from '../exit-code.ts'
import { errorToJson, renderError } from '../render-error.ts'
import { forEachTask } from './each-task.ts'
import { addServerFlags } from './server-flags.ts'
import { addFilters, type FilterFlags, queryOf, readTasks } from './task-filters.ts'

export interface BulkFlags extends ServerFlags, FilterFlags {
  all?: boolean
  dryRun?: boolean
}

export interface BulkAction {
  /** `retry`, and what was done then: `retried`. */
  verb: string
  past: string
  /** Those it may be done to; looked for in this order when none is named. */
  states: readonly TaskState[]
  /** Of `states`, the ones meant when none is named. */
  unlessNamed: readonly TaskState[]
  act(client: TierlineClient, id: string): Promise<Task>
  /** Of what `act` gave: `running, being cancelled`. */
  said(task: Task): string
  /** What `act` gave shows that it came too late. */
  isTooLate(task: Task): boolean
}

/** Requests at a time: a round trip each, and the server is there for others too. */
const AT_ONCE = 8
/** Tasks that move from one state to another while they are looked for are found by the next look. */
const MOST_LOOKS = 5
/** Somebody else was faster; nothing is wrong with that. */
const TOO_LATE = ['not_finished', 'task_not_found']
/** Would be the same for every other task. */
const HOPELESS = ['server_unreachable', 'unexpected_answer', 'unauthorized', 'redis_unavailable']

/** A command that takes ids, or `--all` and filters. */
export function addBulk(command: Command, cli: Cli, action: BulkAction): void {
  command
    .argument('[id...]', 'of the tasks')
    .option('--all', `${action.verb} all tasks that are ${action.unlessNamed.join(', ')} and fit the filters`)
  addFilters(command, action.states)
    .option('--dry-run', `with --all: say which, and ${action.verb} none`)
    .action((ids: string[], flags: BulkFlags) => run(cli, ids, flags, action))
  addServerFlags(command)
}

function run(cli: Cli, ids: readonly string[], flags: BulkFlags, action: BulkAction): Promise<void> {
  const isFiltered = Object.keys(queryOf(flags)).length > 0
  if (flags.all && ids.length > 0) throw wrongFlags(action, 'ids and --all are given, one of them is enough')
  if (!flags.all && ids.length === 0) throw wrongFlags(action, 'name tasks, or use --all')
  if (!flags.all && (isFiltered || flags.dryRun)) throw wrongFlags(action, 'filters and --dry-run need --all')
  if (flags.all) return forAll(cli, flags, action)
  return forEachTask(cli, ids, flags, { act: action.act, done: action.said })
}

async function forAll(cli: Cli, flags: BulkFlags, action: BulkAction): Promise<void> {
  const { terminal } = cli
  const client = connect(cli, flags)
  const seen = new Set<string>()
  const data: object[] = []
  const count = { done: 0, tooLate: 0, refused: 0 }
  // Ids are in the order of creation: what is submitted from now on is not meant.
  let newest: string | undefined

  for (let looks = 0; looks < (flags.dryRun ? 1 : MOST_LOOKS); looks += 1) {
    const found = (await find()).filter(({ id }) => !seen.has(id) && (newest === undefined || id <= newest))
    newest ??= found
      .map(({ id }) => id)
      .sort()
      .at(-1)
    if (found.length === 0) break
    for (const { id } of found) seen.add(id)
    if (flags.dryRun) for (const task of found) show(task, task.state)
    else await inParallel(found)
  }
  terminal.progress(undefined)
  if (flags.json) terminal.printJson({ data, ...count })
  terminal.note(summary())

  async function find(): Promise<Task[]> {
    const states = flags.state === undefined ? action.unlessNamed : [flags.state]
    const tasks = new Map<string, Task>()
    for (const state of states)
      for (const task of (await readTasks(client, { ...queryOf(flags), state })).data)
        tasks.set(task.id, task)
    return [...tasks.values()]
  }

  async function inParallel(tasks: readonly Task[]): Promise<void> {
    const left = [...tasks]
    const work = async () => {
      for (let task = left.shift(); task !== undefined; task = left.shift()) await one(task.id)
    }
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, work))
    } finally {
      left.length = 0
    }
  }

  async function one(id: string): Promise<void> {
    try {
      const task = await action.act(client, id)
      if (action.isTooLate(task)) count.tooLate += 1
      else count.done += 1
      show(task, action.said(task))
    } catch (error) {
      const code = isTierlineError(error) ? error.code : ''
      if (HOPELESS.includes(code)) throw error
      if (TOO_LATE.includes(code)) count.tooLate += 1
      else {
        count.refused += 1
        cli.exitCode = exitCodeOfError(error)
        if (!flags.json) terminal.note(renderError(error, terminal, cli.settings))
      }
      if (flags.json) data.push({ id, ...errorToJson(error) })
    }
    terminal.progress(`${count.done + count.tooLate + count.refused} of ${seen.size} ${action.past}`)
  }

  function show(task: Task, said: string): void {
    if (flags.json) data.push({ id: task.id, task })
    else terminal.print(`${task.id}  ${said}`)
  }

  function summary(): string {
    if (seen.size === 0) return 'No such tasks.'
    if (flags.dryRun) return `${tasks(seen.size)} would be ${action.past}; nothing was done.`
    const rest = [
      ...(count.tooLate > 0 ? [`${tasks(count.tooLate)} had gone on by then`] : []),
      ...(count.refused > 0 ? [`${tasks(count.refused)} could not be`] : []),
    ]
    return `${[`${tasks(count.done)} ${action.past}`, ...rest].join('; ')}.`
  }
}

function tasks(count: number): string {
  return count === 1 ? '1 task' : `${count} tasks`
}

function wrongFlags({ verb }: BulkAction, what: string): TierlineError {
  return new TierlineError('invalid_input', `Cannot ${verb}: ${what}`, {
    errors: [{ field: '--all', message: what }],
  })
}
