import type { Command } from 'commander'
import type { Task } from '../../client/index.ts'
import { modelOf } from '../../tasks/comparison-route.ts'
import { TASK_STATES } from '../../tasks/state.ts'
import { type Cli, connect, type ServerFlags } from '../cli.ts'
import { formatCount, totalTokens } from '../format/count.ts'
import { formatDuration } from '../format/duration.ts'
import { formatMicroUsd } from '../format/money.ts'
import { renderColumns } from '../format/table.ts'
import { readQueueWaits } from '../queue-wait.ts'
import { numberArgument } from './arguments.ts'
import { addExamples, addServerFlags } from './server-flags.ts'
import { addFilters, type FilterFlags, queryOf, readTasks } from './task-filters.ts'

const DEFAULT_LIMIT = 50

interface ListFlags extends ServerFlags, FilterFlags {
  limit?: number
  all?: boolean
  quiet?: boolean
}

export function addList(program: Command, cli: Cli): void {
  const command = program.command('list').description('list tasks, newest first')
  addFilters(command, TASK_STATES)
    .option('--limit <number>', 'most to show (default: 50)', numberArgument)
    .option('--all', 'show all, not only the newest')
    .option('--quiet', 'print the ids only')
    .action(async (flags: ListFlags) => list(cli, flags))
  addServerFlags(command)
  addExamples(
    command,
    'tierline list',
    'tierline list --state failed --since 1h',
    'tierline list --type lint --metadata team=core --all --json',
  )
}

async function list(cli: Cli, flags: ListFlags): Promise<void> {
  const { terminal } = cli
  const limit = flags.all ? undefined : (flags.limit ?? DEFAULT_LIMIT)
  const client = connect(cli, flags)
  const page = await readTasks(client, queryOf(flags), limit)
  if (flags.json) terminal.printJson(page)
  else if (flags.quiet) for (const { id } of page.data) terminal.print(id)
  else if (page.data.length === 0) terminal.note('No such tasks.')
  else {
    const queueWaitOf = await readQueueWaits(client, page.data)
    terminal.print(renderTasks(page.data, (task) => queueWaitOf(task)?.paused ?? false, Date.now()))
    if (page.nextCursor !== null)
      terminal.note('There are older ones: show them with --all or a higher --limit.')
  }
}

/** One task a line. */
function renderTasks(tasks: readonly Task[], isPaused: (task: Task) => boolean, now: number): string {
  return renderColumns(
    [
      { title: 'ID' },
      { title: 'STATE' },
      { title: 'TYPE' },
      { title: 'TIER' },
      { title: 'MODEL' },
      { title: 'TOKENS', align: 'right' },
      { title: 'COST', align: 'right' },
      { title: 'TIME', align: 'right' },
      { title: 'AGE', align: 'right' },
    ],
    tasks.map((task) => [
      task.id,
      stateOf(task, isPaused(task)),
      task.type ?? '-',
      task.tier ?? '-',
      modelOf(task.model, task.route) ?? '-',
      formatCount(totalTokens(task.usage)),
      formatMicroUsd(task.costMicroUsd),
      task.startedAt === null ? '-' : formatDuration((task.finishedAt ?? now) - task.startedAt),
      formatDuration(now - task.createdAt),
    ]),
  )
}

/** `waiting (limit)`; `waiting (paused)` for one whose tier is. */
function stateOf({ state, waitingFor }: Task, isPaused: boolean): string {
  const why = waitingFor?.reason ?? (isPaused ? 'paused' : undefined)
  return why === undefined ? state : `${state} (${why})`
}
