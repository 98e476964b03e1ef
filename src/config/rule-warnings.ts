/** Rules that can never match: not wrong, and surely not meant. */

import { covers } from '../routing/rule-covers.ts'
import { nearestNames } from '../tasks/nearest.ts'
import { mostTokens } from '../tasks/prompt-size.ts'
import { routingRuleOf } from './config.ts'
import type { ConfigProblem } from './config-problem.ts'
import type { FileContent } from './file-schema.ts'
import { unknownKey } from './unknown-key.ts'
import type { YamlSource } from './yaml-source.ts'

/** Each at the line of what keeps the rule from matching. `keys`: names of the API keys; `undefined`: not known. */
export function ruleWarnings(
  file: FileContent,
  source: YamlSource,
  keys: readonly string[] | undefined,
): ConfigProblem[] {
  const warnings: ConfigProblem[] = []
  const warn = (
    path: readonly PropertyKey[],
    message: string,
    more: { given?: unknown; allowed?: readonly string[] } = {},
  ): void => {
    warnings.push(source.problemAt(path, 'value', { field: path.join('.'), message, ...more }))
  }
  const types = Object.keys(file.routes)
  const most = mostTokens(file.limits.maxPromptBytes)
  const conditions = file.rules.map((rule) => routingRuleOf(rule).when)

  for (const [index, { when }] of file.rules.entries()) {
    const path = ['rules', index, 'when']
    for (const { path: at, name } of namesOf(when.type, [...path, 'type']))
      if (!types.includes(name))
        warn(at, `can never match the type "${name}": it has no route`, {
          allowed: nearestNames(name, types),
        })
    for (const { path: at, name } of namesOf(when.key, [...path, 'key']))
      if (keys !== undefined && !keys.includes(name)) warn(at, ...unknownKey('can never match', name, keys))
    const { over = -1, atMost = Number.POSITIVE_INFINITY } = when.promptTokens ?? {}
    if (over >= atMost)
      warn([...path, 'promptTokens'], `can never match: over ${over} and at most ${atMost} is nothing`)
    else if (over >= most)
      warn(
        [...path, 'promptTokens', 'over'],
        `matches no text: limits.maxPromptBytes lets in about ${most} tokens`,
      )
    const wider = conditions.findIndex((earlier, at) => at < index && covers(earlier, conditions[index]!))
    if (wider !== -1) warn(['rules', index], `can never match: rules.${wider} before it matches all of it`)
  }
  return warnings
}

/** One name, or each of a list, with its place. */
export function namesOf(
  given: string | readonly string[] | undefined,
  path: readonly PropertyKey[],
): { path: readonly PropertyKey[]; name: string }[] {
  if (given === undefined) return []
  if (typeof given === 'string') return [{ path, name: given }]
  return given.map((name, index) => ({ path: [...path, index], name }))
}
