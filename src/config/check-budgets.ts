/** What is wrong, or probably not meant, with the budgets of a file. */
import { nearestNames } from '../routing/nearest.ts'
import type { ConfigProblem } from './config-problem.ts'
import type { FileContent } from './file-schema.ts'
import type { YamlSource } from './yaml-source.ts'

type FileBudget = FileContent['budgets'][number]

/** From the shortest window to the longest. */
const WINDOWS = ['hour', 'day', 'month', 'once'] as const
/** A step of most models may cost more; what it is exactly is known once their server is asked. */
const SMALL_USD = 0.01

/** Every contradiction, at the line of the key that is wrong. */
export function checkBudgets(file: FileContent, source: YamlSource): ConfigProblem[] {
  const tiers = Object.keys(file.tiers)
  return file.budgets.flatMap((budget, index) => {
    const { scope, per, onExceed } = budget
    const problems: ConfigProblem[] = []
    const add = (
      key: keyof FileBudget,
      message: string,
      more: { given: string; allowed?: readonly string[] },
    ) => {
      const path = ['budgets', index, key]
      problems.push(source.problemAt(path, 'value', { field: path.join('.'), message, ...more }))
    }
    const { kind, name } = partsOf(scope)
    if (kind === 'tier' && !tiers.includes(name))
      add('scope', `names the tier "${name}", which does not exist`, {
        given: name,
        allowed: nearestNames(name, tiers),
      })
    if (kind === 'type' && !Object.hasOwn(file.routes, name))
      add('scope', `names the task type "${name}", which has no route`, {
        given: scope,
        allowed: nearestNames(name, Object.keys(file.routes)),
      })
    if (file.budgets.findIndex((other) => other.scope === scope && other.per === per) < index)
      add('scope', `has a budget ${windowName(per)} already`, { given: scope })
    if (onExceed === 'queue' && per === 'once')
      add('onExceed', 'would wait for ever: a budget for once has no next window', { given: onExceed })
    if (onExceed === 'downgrade' && tiers.length === 1)
      add('onExceed', 'needs a cheaper tier, and there is only one', { given: onExceed })
    return problems
  })
}

/** What may be meant, and has an effect that surprises. */
export function doubtfulBudgets(file: FileContent, source: YamlSource): ConfigProblem[] {
  return file.budgets.flatMap((budget, index) => {
    const doubts: ConfigProblem[] = []
    const add = (key: keyof FileBudget, message: string) => {
      const path = ['budgets', index, key]
      doubts.push(source.problemAt(path, 'value', { field: path.join('.'), message }))
    }
    const { scope, per, limitUsd, onExceed, downgradeAtPercent } = budget
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
    else if (limitUsd < SMALL_USD)
      add('limitUsd', 'may be less than one step of a model costs: one task at a time, which may cost more')
    const staysBelow = ['global', 'type', 'key'].includes(partsOf(scope).kind)
    if (onExceed === 'downgrade' && staysBelow && (downgradeAtPercent ?? 100) === 100)
      add(
        'onExceed',
        'refuses when all is spent, since a cheaper tier counts too: name a downgradeAtPercent below 100',
      )
    return doubts
  })
}

function partsOf(scope: string): { kind: string; name: string } {
  const end = scope.indexOf(':')
  return end === -1 ? { kind: scope, name: '' } : { kind: scope.slice(0, end), name: scope.slice(end + 1) }
}

function windowName(per: FileBudget['per']): string {
  return per === 'once' ? 'for once' : `per ${per}`
}
