import { type Command, Option } from 'commander'
import type { ListQuery, Task, TaskPage, TierlineClient } from '../../client/index.ts'
import { TASK_STATES } from '../../tasks/state.ts'
import { type Cli, connect, type ServerFlags } from '../cli.ts'
import { formatCount, totalTokens } from '../format/count.ts'
import { formatDuration } from '../format/duration.ts'
import { formatMicroUsd } from '../format/money.ts'
import { renderColumns } from '../format/table.ts'
import { collectMetadata, durationArgument, numberArgument } from './arguments.ts'
import { addExamples, addServerFlags } from './server-flags.ts'

interface ListFlags
  extends ServerFlags,
    Pick<Partial<ListQuery>, 'state' | 'type' | 'tier' | 'model' | 'metadata'> {
  /** Milliseconds before now. */
  since?: number
  limit?: number
  all?: boolean
  quiet?: boolean
}

export function addList(program: Command, cli: Cli): void {
  const command = program
    .command('list')
    .description('list tasks, newest first')
    .addOption(new Option('--state <state>', 'only those in this state').choices(TASK_STATES))
    .option('--type <type>', 'only those of this type')
    .option('--tier <tier>', 'only those of this tier')
    .option('--model <provider/model>', 'only those with this model')
    .option('--metadata <key=value>', 'only those with this metadata (repeatable)', collectMetadata)
    .option('--since <duration>', 'only those created in the last …: 30m, 2h', durationArgument)
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
    'tierline list --state waiting --all --quiet | xargs tierline cancel',
  )
}

async function list(cli: Cli, flags: ListFlags): Promise<void> {
  const { terminal } = cli
  const page = await readTasks(connect(cli, flags), flags)
  if (flags.json) terminal.printJson(page)
  else if (flags.quiet) for (const { id } of page.data) terminal.print(id)
  else if (page.data.length === 0) terminal.note('No such tasks.')
  else {
    terminal.print(renderTasks(page.data, Date.now()))
    if (page.nextCursor !== null)
      terminal.note('There are older ones: show them with --all or a higher --limit.')
  }
}

/** Pages may be short with filters, so several make up what was asked for. */
async function readTasks(
  client: TierlineClient,
  { state, type, tier, model, metadata, since, limit = 50, all = false }: ListFlags,
): Promise<TaskPage> {
  const query = { state, type, tier, model, metadata, since: since && Date.now() - since }
  const data: Task[] = []
  let cursor: string | null = null
  do {
    const missing: number = all ? MAX_PAGE : Math.min(MAX_PAGE, limit - data.length)
    const page: TaskPage = await client.list({
      ...(query as Partial<ListQuery>),
      limit: missing,
      ...(cursor !== null && { cursor }),
    })
    data.push(...page.data)
    cursor = page.nextCursor
  } while (cursor !== null && (all || data.length < limit))
  return { data, nextCursor: cursor }
}

const MAX_PAGE = 200

/** One task a line. */
export function renderTasks(tasks: readonly Task[], now: number): string {
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
      task.waitingFor === null ? task.state : `${task.state} (${task.waitingFor.reason})`,
      task.type ?? '-',
      task.tier ?? '-',
      task.model,
      formatCount(totalTokens(task.usage)),
      formatMicroUsd(task.costMicroUsd),
      task.startedAt === null ? '-' : formatDuration((task.finishedAt ?? now) - task.startedAt),
      formatDuration(now - task.createdAt),
    ]),
  )
}
