import { type Command, Option } from 'commander'
import type { ListQuery, Task, TaskPage, TierlineClient } from '../../client/index.ts'
import { collectMetadata, durationArgument } from './arguments.ts'

/** The flags that choose tasks. */
export interface FilterFlags
  extends Pick<Partial<ListQuery>, 'state' | 'type' | 'tier' | 'model' | 'metadata'> {
  parent?: string
  /** Milliseconds before now. */
  since?: number
}

type Query = Partial<
  Pick<ListQuery, 'state' | 'type' | 'tier' | 'model' | 'parentTaskID' | 'metadata' | 'since'>
>

const MAX_PAGE = 200

export function addFilters(command: Command, states: readonly string[]): Command {
  return command
    .addOption(new Option('--state <state>', 'only those in this state').choices(states))
    .option('--type <type>', 'only those of this type')
    .option('--tier <tier>', 'only those of this tier')
    .option('--model <provider/model>', 'only those with this model')
    .option('--parent <id>', 'only the children of this task')
    .option('--metadata <key=value>', 'only those with this metadata (repeatable)', collectMetadata)
    .option('--since <duration>', 'only those created in the last …: 30m, 2h', durationArgument)
}

/** What the flags ask for; empty when none is given. */
export function queryOf({ state, type, tier, model, parent, metadata, since }: FilterFlags): Query {
  const after = since === undefined ? undefined : Math.max(0, Date.now() - since)
  const query = { state, type, tier, model, parentTaskID: parent, metadata, since: after }
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined))
}

/** Newest first. Pages may be short with filters, so several make up what was asked for. */
export async function readTasks(
  client: TierlineClient,
  query: Query,
  limit = Number.POSITIVE_INFINITY,
): Promise<TaskPage> {
  const data: Task[] = []
  let cursor: string | null = null
  do {
    const page: TaskPage = await client.list({
      ...query,
      limit: Math.min(MAX_PAGE, limit - data.length),
      ...(cursor !== null && { cursor }),
    })
    data.push(...page.data)
    cursor = page.nextCursor
  } while (cursor !== null && data.length < limit)
  return { data, nextCursor: cursor }
}
