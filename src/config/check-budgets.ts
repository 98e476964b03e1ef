/** What is wrong with the budgets of a file. */
import { partsOfScope } from '../routing/budget-scope.ts'
import { isListed, mayHaveCheaper, type Tiers } from '../routing/cheaper-tiers.ts'
import { nearestNames } from '../tasks/nearest.ts'
import { pricesOf } from './config.ts'
import type { ConfigProblem } from './config-problem.ts'
import type { FileContent } from './file-schema.ts'
import type { YamlSource } from './yaml-source.ts'

export type FileBudget = FileContent['budgets'][number]

/** Every contradiction, at the line of the key that is wrong. */
export function checkBudgets(file: FileContent, source: YamlSource): ConfigProblem[] {
  const tiers = Object.keys(file.tiers)
  const classes = Object.entries(file.tiers).map(([name, { models }]) => ({ name, models }))
  const prices = pricesOf(file)
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
    const { kind, name } = partsOfScope(scope)
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
    const first = file.budgets.findIndex((other) => other.scope === scope && other.per === per)
    if (first < index)
      add('scope', `has a budget ${windowName(per)} already: budgets.${first}`, { given: scope })
    if (onExceed === 'queue' && per === 'once')
      add('onExceed', 'would wait for ever: a budget for once has no next window', { given: onExceed })
    const isKnown = kind !== 'tier' || tiers.includes(name)
    if (onExceed === 'downgrade' && isKnown && !mayHaveCheaper(scope, classes, prices))
      add('onExceed', `needs a cheaper tier, and ${whyNone(scope, classes)}`, { given: onExceed })
    return problems
  })
}

function whyNone(scope: string, tiers: Tiers): string {
  if (tiers.length === 1) return 'there is only one'
  return isListed(scope, tiers)
    ? 'none can be cheaper, as this file has tiers and prices'
    : 'no tier has a model of this scope'
}

/** `per day`. */
export function windowName(per: FileBudget['per']): string {
  return per === 'once' ? 'for once' : `per ${per}`
}
