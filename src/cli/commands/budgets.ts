import type { Command } from 'commander'
import type { BudgetView } from '../../client/index.ts'
import { type Cli, connect, type ServerFlags } from '../cli.ts'
import { renderBar } from '../format/bar.ts'
import { formatDuration } from '../format/duration.ts'
import { formatMicroUsd } from '../format/money.ts'
import { renderColumns } from '../format/table.ts'
import { addExamples, addServerFlags } from './server-flags.ts'

const BAR_WIDTH = 20

export function addBudgets(program: Command, cli: Cli): void {
  const command = program
    .command('budgets')
    .description('what is spent of each budget, what is held, and when it begins anew')
    .action(async (flags: ServerFlags) => {
      const budgets = await connect(cli, flags).budgets()
      const { terminal } = cli
      if (flags.json) terminal.printJson({ data: budgets })
      else if (budgets.length === 0) terminal.note('No budgets: the configuration file has none.')
      else terminal.print(renderBudgets(budgets, Date.now(), terminal.live))
    })
  addServerFlags(command)
  addExamples(
    command,
    'tierline budgets',
    `tierline budgets --json | jq '.data[] | select(.spentMicroUsd >= .limitMicroUsd) | .scope'`,
  )
}

/** With bars where somebody looks: `█` is spent, `▒` is held. */
export function renderBudgets(budgets: readonly BudgetView[], now: number, hasBars: boolean): string {
  const bar = { title: 'USED' }
  return renderColumns(
    [
      { title: 'SCOPE' },
      { title: 'PER' },
      { title: 'SPENT', align: 'right' },
      { title: 'HELD', align: 'right' },
      { title: 'LIMIT', align: 'right' },
      { title: '%', align: 'right' },
      ...(hasBars ? [bar] : []),
      { title: 'RESETS IN' },
      { title: 'THEN' },
    ],
    budgets.map((budget) => {
      const { scope, per, timeZone, onExceed, limitMicroUsd, spentMicroUsd, reservedMicroUsd, resetAt } =
        budget
      const parts = [
        { share: shareOf(spentMicroUsd, limitMicroUsd), sign: '█' },
        { share: shareOf(reservedMicroUsd, limitMicroUsd), sign: '▒' },
      ]
      return [
        scope,
        timeZone === 'UTC' || resetAt === null ? per : `${per} (${timeZone})`,
        formatMicroUsd(spentMicroUsd),
        formatMicroUsd(reservedMicroUsd),
        formatMicroUsd(limitMicroUsd),
        String(Math.floor(100 * shareOf(spentMicroUsd, limitMicroUsd))),
        ...(hasBars ? [renderBar(parts, BAR_WIDTH)] : []),
        resetAt === null ? 'never' : formatDuration(resetAt - now),
        onExceed,
      ]
    }),
  )
}

/** A limit of nothing is spent. */
function shareOf(microUsd: number, limitMicroUsd: number): number {
  return limitMicroUsd === 0 ? 1 : microUsd / limitMicroUsd
}
