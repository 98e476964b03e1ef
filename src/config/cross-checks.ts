/** What one key of a file says about another: no schema can know it. */
import { isAbsolute } from 'node:path'
import { DIRECT_QUEUE, NESTED_QUEUE } from '../routing/queue-of.ts'
import { nearestNames } from '../tasks/nearest.ts'
import type { ConfigProblem } from './config-problem.ts'
import type { FileContent } from './file-schema.ts'
import { namesOf } from './rule-warnings.ts'
import type { YamlSource } from './yaml-source.ts'

const RESERVED: readonly string[] = [DIRECT_QUEUE, NESTED_QUEUE]

/** Every contradiction, at the line of the key that is wrong. */
export function crossCheck(file: FileContent, source: YamlSource): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const tierNames = Object.keys(file.tiers)
  const add = (
    path: readonly PropertyKey[],
    what: 'key' | 'value',
    message: string,
    more: { given?: unknown; allowed?: readonly string[] } = {},
  ): void => {
    problems.push(source.problemAt(path, what, { field: path.join('.'), message, ...more }))
  }
  const unknownTier = (path: readonly PropertyKey[], given: string): void =>
    add(path, 'value', `names the tier "${given}", which does not exist`, {
      given,
      allowed: nearestNames(given, tierNames),
    })

  for (const [name, { models }] of Object.entries(file.tiers)) {
    if (RESERVED.includes(name))
      add(['tiers', name], 'key', 'is the name of a queue that tierline keeps', { given: name })
    // JavaScript moves such keys to the front, and the order of tiers counts.
    if (/^\d+$/.test(name)) add(['tiers', name], 'key', 'must not be a number alone', { given: name })
    for (const [index, model] of models.entries())
      if (models.indexOf(model) < index)
        add(['tiers', name, 'models', index], 'value', `names "${model}" a second time`, { given: model })
  }
  for (const [type, target] of Object.entries(file.routes)) {
    if (typeof target === 'string') {
      if (!target.includes('/') && !tierNames.includes(target)) unknownTier(['routes', type], target)
    } else if (target.tier !== undefined && !tierNames.includes(target.tier))
      unknownTier(['routes', type, 'tier'], target.tier)
  }
  for (const [index, { tier, when }] of file.rules.entries()) {
    if (tier !== undefined && !tierNames.includes(tier)) unknownTier(['rules', index, 'tier'], tier)
    for (const { path, name } of namesOf(when.directory, ['rules', index, 'when', 'directory']))
      if (!isAbsolute(name)) add(path, 'value', 'must be an absolute path', { given: name })
  }
  if (file.default !== undefined && !tierNames.includes(file.default)) unknownTier(['default'], file.default)
  for (const [name, { price }] of Object.entries(file.models)) {
    const thresholds = (price?.bands ?? []).map(({ aboveContextTokens }) => aboveContextTokens)
    for (const [index, given] of thresholds.entries())
      if (thresholds.indexOf(given) < index)
        add(['models', name, 'price', 'bands', index, 'aboveContextTokens'], 'value', 'has a band already', {
          given,
        })
  }
  for (const [index, directory] of (file.directories.allow ?? []).entries())
    if (!isAbsolute(directory))
      add(['directories', 'allow', index], 'value', 'must be an absolute path', { given: directory })
  return problems
}
