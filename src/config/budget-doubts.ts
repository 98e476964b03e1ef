import { partsOfScope, tiersOfScope } from '../routing/budget-scope.ts'
import { mayHaveCheaper } from '../routing/cheaper-tiers.ts'
import type { RoutingTable } from '../routing/table.ts'
import { type FileBudget, windowName } from './check-budgets.ts'
import type { ConfigProblem } from './config-problem.ts'
import type { FileContent } from './file-schema.ts'
import { unknownKey } from './unknown-key.ts'
import type { YamlSource } from './yaml-source.ts'

/** From the shortest window to the longest. */
const WINDOWS = ['hour', 'day', 'month', 'once'] as const
/** Of these what is sent to a cheaper tier counts as before. */
const STAYS_BELOW = ['global', 'type', 'key']

/**
 * What may be meant in the budgets of a file, and has an effect that surprises. `keys`: names of the API keys;
 * `undefined`: not known.
 */
export function budgetDoubts(
  file: FileContent,
  source: YamlSource,
  table: RoutingTable,
  keys: readonly string[] | undefined,
): ConfigProblem[] {
  return file.budgets.flatMap((budget, index) => {
    const doubts: ConfigProblem[] = []
    const add = (key: keyof FileBudget, message: string, more: { allowed?: readonly string[] } = {}) => {
      const path = ['budgets', index, key]
      doubts.push(source.problemAt(path, 'value', { field: path.join('.'), message, ...more }))
    }
    const { scope, per, limitUsd, onExceed, downgradeAtPercent } = budget
    const { kind, name } = partsOfScope(scope)
    if (kind === 'key' && keys !== undefined && !keys.includes(name))
      add('scope', ...unknownKey('counts nothing of', name, keys))
    const longer = file.budgets.find(
      (other) =>
        other.scope === scope &&
        WINDOWS.indexOf(other.per) > WINDOWS.indexOf(per) &&
        other.limitUsd <= limitUsd,
    )
    if (longer !== undefined)
      add('limitUsd', `is never reached: the budget ${windowName(longer.per)} allows $${longer.limitUsd}`)
    if (limitUsd === 0)
      add('limitUsd', 'is 0: all these tasks are refused, but those of models that are free')
    if (onExceed !== 'downgrade') return doubts
    const usual = tiersOfScope(scope, table)
    if (usual.length === 0)
      add('onExceed', 'moves only tasks that name a tier: the type goes to a model, and stays with it')
    else if (!mayHaveCheaper(scope, table.tiers, table.prices, usual))
      add(
        'onExceed',
        `moves only tasks that name a tier: the type goes to ${usual.map((tier) => tier.name).join(' or ')}, and no other is cheaper`,
      )
    if (STAYS_BELOW.includes(kind) && (downgradeAtPercent ?? 100) === 100)
      add(
        'onExceed',
        'refuses when all is spent, since a cheaper tier counts too: name a downgradeAtPercent below 100',
      )
    return doubts
  })
}
