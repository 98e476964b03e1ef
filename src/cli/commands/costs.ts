import { type Command, Option } from 'commander'
import type { Costs, CostsLine } from '../../client/index.ts'
import { COST_GROUPS, type CostGroup, type CostsTotal } from '../../tasks/costs.ts'
import { type Cli, connect, type ServerFlags } from '../cli.ts'
import { formatCount, totalTokens } from '../format/count.ts'
import { formatCsv } from '../format/csv.ts'
import { formatMicroUsd } from '../format/money.ts'
import { renderColumns } from '../format/table.ts'
import { momentArgument } from './arguments.ts'
import { addExamples, addServerFlags } from './server-flags.ts'

interface CostsFlags extends ServerFlags {
  by: CostGroup
  since?: number
  until?: number
  csv?: boolean
}

export function addCosts(program: Command, cli: Cli): void {
  const command = program
    .command('costs')
    .description('what was spent, by model, tier, type, API key or day')
    .addOption(new Option('--by <group>', 'what to tell apart').choices(COST_GROUPS).default('model'))
    .option(
      '--since <moment>',
      'from the day of: 2026-11-01, or 7d ago (default: all that is kept)',
      momentArgument,
    )
    .option(
      '--until <moment>',
      'up to: 2026-12-01, or 1d ago; the day that begins then is left out',
      momentArgument,
    )
    .option('--csv', 'print comma-separated values, costs in micro-USD')
    .action(async (flags: CostsFlags) => showCosts(cli, flags))
  addServerFlags(command)
  addExamples(
    command,
    'tierline costs --since 7d',
    'tierline costs --by key --since 2026-11-01 --until 2026-12-01',
    'tierline costs --by day --csv > costs.csv',
  )
}

async function showCosts(cli: Cli, { by, since, until, csv, ...flags }: CostsFlags): Promise<void> {
  const { terminal } = cli
  const query = { groupBy: by, ...(since !== undefined && { since }), ...(until !== undefined && { until }) }
  const costs = await connect(cli, flags).costs(query)
  if (flags.json) terminal.printJson(costs)
  else if (csv) terminal.print(csvOf(costs))
  else if (costs.data.length === 0) terminal.note('Nothing was spent.')
  else terminal.print(renderCosts(costs))
}

/** Days are UTC. The last line is the sum. */
function renderCosts({ groupBy, data, total }: Costs): string {
  return renderColumns(
    [
      { title: groupBy.toUpperCase() },
      { title: 'TASKS', align: 'right' },
      { title: 'SUCCEEDED', align: 'right' },
      { title: 'TOKENS', align: 'right' },
      { title: 'COST', align: 'right' },
      { title: 'ESTIMATED', align: 'right' },
    ],
    [...data.map((line) => [line.group ?? '(none)', ...cellsOf(line)]), ['total', ...cellsOf(total)]],
  )
}

function cellsOf({ tasks, succeeded, usage, costMicroUsd, costEstimatedMicroUsd }: CostsTotal): string[] {
  return [
    formatCount(tasks),
    formatCount(succeeded),
    formatCount(totalTokens(usage)),
    formatMicroUsd(costMicroUsd),
    costEstimatedMicroUsd === 0 ? '-' : `+ ${formatMicroUsd(costEstimatedMicroUsd)}`,
  ]
}

function csvOf({ groupBy, data }: Costs): string {
  const rows = data.map(
    ({ group, tasks, succeeded, usage, costMicroUsd, costEstimatedMicroUsd }: CostsLine) => [
      ...[group ?? '', tasks, succeeded, usage.inputTokens, usage.outputTokens, usage.reasoningTokens],
      ...[usage.cacheReadTokens, usage.cacheWriteTokens, costMicroUsd, costEstimatedMicroUsd],
    ],
  )
  const titles = [
    ...[groupBy, 'tasks', 'succeeded', 'inputTokens', 'outputTokens', 'reasoningTokens'],
    ...['cacheReadTokens', 'cacheWriteTokens', 'costMicroUsd', 'costEstimatedMicroUsd'],
  ]
  return formatCsv([titles, ...rows])
}
